/*
 * A command, and the table of them.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "args.h"
#include "exits.h"

struct command {
    const char *name;
    const char *summary; /* for the list of commands */
    const char *help;    /* fits on a screen: 24 lines of 80 columns */
    const struct option_spec *options;
    bool splits; /* what stands behind `--` is no FILE */
    int (*run)(const struct args *args);
};

extern const struct command command_cat;
extern const struct command command_check;
extern const struct command command_completion;
extern const struct command command_convert;
extern const struct command command_diff;
extern const struct command command_hash;
extern const struct command command_header;
extern const struct command command_info;
extern const struct command command_ls;
extern const struct command command_meta;
extern const struct command command_scan;

#endif /* CLI_COMMANDS_H */
