#include "allowed.h"

#include "exits.h"
#include "message.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Splits "module.name" at its last dot, and takes it in; false if it is no such pair. */
static bool add(struct allowed *allowed, const char *text, size_t length) {
    size_t dot = length;
    while (dot > 0 && text[dot - 1] != '.') {
        dot--;
    }
    if (dot < 2 || dot == length || memchr(text, '\0', length) != NULL) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)text[i] <= ' ') {
            return false;
        }
    }
    if (allowed->count == allowed->room) {
        allowed->room = allowed->room == 0 ? 16 : allowed->room * 2;
        allowed->pairs = memory_grow(allowed->pairs, allowed->room, sizeof *allowed->pairs);
    }
    char *module = memory_take(length + 1, 1);
    memcpy(module, text, length);
    module[dot - 1] = '\0';
    module[length] = '\0';
    allowed->pairs[allowed->count++] = (sft_allowed){module, module + dot};
    return true;
}

/* One line of a policy: a pair and a comment, either of which may be absent. */
static bool add_line(struct allowed *allowed, const char *line, size_t length) {
    const char *comment = memchr(line, '#', length);
    size_t end = comment != NULL ? (size_t)(comment - line) : length;
    size_t start = 0;
    while (start < end && strchr(" \t\r", line[start]) != NULL && line[start] != '\0') {
        start++;
    }
    while (end > start && strchr(" \t\r", line[end - 1]) != NULL && line[end - 1] != '\0') {
        end--;
    }
    return start == end || add(allowed, line + start, end - start);
}

static int read_policy(struct allowed *allowed, const char *path) {
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    int code = EXIT_FINE;
    if (file == NULL) {
        message_line(path, "OPEN_FAILED", "cannot open the policy: %s", strerror(errno));
        return EXIT_TROUBLE;
    }
    for (size_t number = 1; code == EXIT_FINE; number++) {
        errno = 0;
        ssize_t length = getline(&line, &room, file);
        if (length < 0) {
            break;
        }
        size_t used = (size_t)length - (line[length - 1] == '\n');
        if (!add_line(allowed, line, used)) {
            message_line(path, "INVALID_POLICY",
                         "line %zu is no module.name, with a comment behind # or without", number);
            code = EXIT_TROUBLE;
        }
    }
    if (code == EXIT_FINE && ferror(file) != 0) {
        message_line(path, "READ_FAILED", "cannot read the policy: %s", strerror(errno));
        code = EXIT_TROUBLE;
    }
    free(line);
    fclose(file);
    return code;
}

int allowed_collect(struct allowed *allowed, const struct args *args) {
    memset(allowed, 0, sizeof *allowed);
    int code = EXIT_FINE;
    for (size_t i = 0; i < args->given_count && code == EXIT_FINE; i++) {
        const struct option_value *given = &args->given[i];
        if (given->id == OPTION_POLICY) {
            code = read_policy(allowed, given->value);
        } else if (given->id == OPTION_ALLOW && !add(allowed, given->value, strlen(given->value))) {
            code = message_usage("%s: --allow needs module.name, not \"%s\"", args->command,
                                 given->value);
        }
    }
    return code;
}

void allowed_free(struct allowed *allowed) {
    for (size_t i = 0; i < allowed->count; i++) {
        free((char *)(uintptr_t)allowed->pairs[i].module);
    }
    free(allowed->pairs);
}
