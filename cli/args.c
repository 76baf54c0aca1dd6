#include "args.h"

#include "exits.h"
#include "message.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

static const struct option_spec help_spec = {"help", OPTION_HELP, 'h', false};

static const struct option_spec *find_name(const struct option_spec *specs, const char *name,
                                           size_t length) {
    if (length == 4 && memcmp(name, "help", 4) == 0) {
        return &help_spec;
    }
    for (; specs->name != NULL; specs++) {
        if (strlen(specs->name) == length && memcmp(specs->name, name, length) == 0) {
            return specs;
        }
    }
    return NULL;
}

static const struct option_spec *find_letter(const struct option_spec *specs, char letter) {
    if (letter == 'h') {
        return &help_spec;
    }
    for (; specs->name != NULL; specs++) {
        if (specs->letter == letter) {
            return specs;
        }
    }
    return NULL;
}

static int unknown(const struct args *args, const char *option, size_t length) {
    return message_usage("%s has no option %.*s; see sft %s --help", args->command, (int)length,
                         option, args->command);
}

static void take_value(struct args *args, const struct option_spec *spec, const char *value) {
    args->values[spec->id] = value;
    args->given[args->given_count++] = (struct option_value){spec->id, value};
}

/* `--name`, `--name=value`, or `--name value`: then *used becomes true. */
static int parse_long(struct args *args, const struct option_spec *specs, const char *argument,
                      const char *next, bool *used) {
    const char *name = argument + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct option_spec *spec = find_name(specs, name, length);
    if (spec == NULL) {
        return unknown(args, argument, length + 2);
    }
    if (!spec->takes_value && equals != NULL) {
        return message_usage("%s: --%s takes no value", args->command, spec->name);
    }
    if (spec->takes_value) {
        if (equals == NULL && next == NULL) {
            return message_usage("%s: --%s needs a value", args->command, spec->name);
        }
        *used = equals == NULL;
        take_value(args, spec, equals != NULL ? equals + 1 : next);
    }
    args->seen[spec->id] = true;
    return EXIT_FINE;
}

/* `-q`, or several in one: `-qv`. A letter's value follows it at once, or is the next argument. */
static int parse_letters(struct args *args, const struct option_spec *specs, const char *argument,
                         const char *next, bool *used) {
    for (const char *letter = argument + 1; *letter != '\0'; letter++) {
        const struct option_spec *spec = find_letter(specs, *letter);
        if (spec == NULL) {
            return unknown(args, argument, strlen(argument));
        }
        args->seen[spec->id] = true;
        if (spec->takes_value) {
            bool attached = letter[1] != '\0';
            if (!attached && next == NULL) {
                return message_usage("%s: -%c needs a value", args->command, spec->letter);
            }
            *used = !attached;
            take_value(args, spec, attached ? letter + 1 : next);
            break;
        }
    }
    return EXIT_FINE;
}

int args_parse(struct args *args, const char *command, const struct option_spec *specs, bool split,
               int count, char **arguments) {
    memset(args, 0, sizeof *args);
    args->command = command;
    args->operands = memory_take((size_t)count + 1, sizeof *args->operands);
    args->given = memory_take((size_t)count + 1, sizeof *args->given);
    int i = 0;
    for (; i < count && strcmp(arguments[i], "--") != 0; i++) {
        const char *argument = arguments[i];
        bool used = false;
        int code = EXIT_FINE;
        if (argument[0] != '-' || argument[1] == '\0') {
            args->operands[args->operand_count++] = argument;
        } else {
            const char *next = i + 1 < count ? arguments[i + 1] : NULL;
            code = argument[1] == '-' ? parse_long(args, specs, argument, next, &used)
                                      : parse_letters(args, specs, argument, next, &used);
        }
        if (code != EXIT_FINE) {
            return code;
        }
        i += used;
    }
    args->has_rest = i < count;
    args->rest = args->operands + args->operand_count;
    for (i++; i < count; i++) {
        args->operands[args->operand_count + args->rest_count++] = arguments[i];
    }
    if (!split) {
        args->operand_count += args->rest_count;
        args->rest_count = 0;
    }
    return EXIT_FINE;
}

void args_free(struct args *args) {
    free(args->operands);
    args->operands = NULL;
    free(args->given);
    args->given = NULL;
}

int args_expect(const struct args *args, size_t least, size_t most, const char *what) {
    if (args->operand_count < least) {
        return message_usage("%s needs %s; see sft %s --help", args->command, what, args->command);
    }
    if (args->operand_count > most) {
        return message_usage("%s takes %s and no more: what is \"%s\"?", args->command, what,
                             args->operands[most]);
    }
    return EXIT_FINE;
}
