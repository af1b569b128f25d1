"""A counterexample explained to a person: the rows of its table and the sentences below."""
