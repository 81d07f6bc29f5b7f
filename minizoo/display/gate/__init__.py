"""A gate's verdicts on a terminal, as GitHub's summary and as JUnit's XML; never decides one."""
