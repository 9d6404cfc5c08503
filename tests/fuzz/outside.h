/*
 * The world around a pipeline file while it is fuzzed: plugins with options of every kind, files and commands
 * that always say the same. No file is opened and no command is run, whatever the bytes ask for.
 */
#ifndef FUZZ_OUTSIDE_H
#define FUZZ_OUTSIDE_H

#include <stdbool.h>

/* What every ${exec:…} and every ${file:…} gives, but for names with "missing" in them. */
#define OUTSIDE_COMMAND_SAYS "told-by-the-command"
#define OUTSIDE_FILE_SAYS    "kept-in-the-file"

#define OUTSIDE_VARIABLE_SAYS "set-in-the-environment"

/* What was given out since outside_forget: a text can spell these by itself too. */
bool outside_told_command(void);
bool outside_told_file(void);
bool outside_told_variable(void); /* FUZZ */
void outside_forget(void);

#endif
