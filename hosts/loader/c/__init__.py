"""The C front end: functions of C as functions of the language that ``emu/`` is written in."""
