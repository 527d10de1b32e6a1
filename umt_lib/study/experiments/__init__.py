"""One params file, one result: experiments."""
