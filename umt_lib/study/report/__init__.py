"""The report: tables, figures, sentences and the pages of the book, made from results."""
