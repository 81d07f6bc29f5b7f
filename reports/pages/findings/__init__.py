"""The write-up of the findings, as a page of the site and as docs/findings.md, both from a record; never runs or judges one."""
