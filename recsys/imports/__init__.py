"""Loading of files into the database: readers, reports, and one module for each format."""
