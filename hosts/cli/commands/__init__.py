"""The command line: the options and the help of each command. What a command does is imported when it is called."""
