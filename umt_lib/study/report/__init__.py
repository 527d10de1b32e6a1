"""The book: tables, figures, sentences and pages made from results."""
