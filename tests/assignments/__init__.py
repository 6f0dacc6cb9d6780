"""Submissions made for the tests: right, empty, wrong in typical ways, hostile."""
