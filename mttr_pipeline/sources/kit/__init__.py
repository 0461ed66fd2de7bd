"""What every source uses, this project's and other people's: the declaration, HTTP, paging, windows, the audit."""
