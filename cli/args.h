/*
 * The command line: options anywhere before `--`, everything else operands.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>

enum option_id {
    OPTION_HELP,
    OPTION_JSON,
    OPTION_SORT,
    OPTION_PRETTY,
    OPTION_FINITE,
    OPTION_QUIET,
    OPTION_NPY,
    OPTION_FORCE,
    OPTION_VERBOSE,
    OPTION_DATA,
    OPTION_METADATA,
    OPTION_CHECK,
    OPTION_ALLOW,
    OPTION_POLICY,
    OPTION_SARIF,
    OPTION_OUTPUT,
    OPTION_MAX_SHARD_SIZE,
    OPTION_KEY,
    OPTION_DROP_PREFIX,
    OPTION_ALLOW_UNKNOWN,
    OPTION_DRY_RUN,
    OPTION_REPORT,
    OPTION_DURABLE,
    OPTIONS
};

/* An option that a command takes. A table of them ends with one whose `name` is NULL. */
struct option_spec {
    const char *name; /* without the two dashes */
    enum option_id id;
    char letter; /* or '\0' */
    bool takes_value;
};

struct option_value {
    enum option_id id;
    const char *value;
};

struct args {
    const char *command;
    const char **operands;
    size_t operand_count;
    const char **rest; /* what stands behind `--`, where the command keeps it apart */
    size_t rest_count;
    bool has_rest; /* there was a `--` */
    bool seen[OPTIONS];
    const char *values[OPTIONS]; /* of each option the last one */
    struct option_value *given;  /* all of them, in their order */
    size_t given_count;
};

/*
 * args_parse() - sorts a command's arguments into options and operands.
 *
 * @split: whether arguments behind `--` go to `rest` instead of `operands`
 *
 * Returns EXIT_FINE, or EXIT_USAGE after a message. args_free() in either case.
 */
int args_parse(struct args *args, const char *command, const struct option_spec *specs, bool split,
               int count, char **arguments);

void args_free(struct args *args);

/* args_expect() - EXIT_FINE if there are least to most operands, else a message: `what` is missing.
 */
int args_expect(const struct args *args, size_t least, size_t most, const char *what);

#endif /* CLI_ARGS_H */
