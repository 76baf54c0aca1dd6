#include "commands.h"
#include "inputs.h"
#include "output.h"

#include <string.h>

/*
 * Re-indents JSON that is known to be sound, byte by byte: outside of strings,
 * brackets and commas end lines. No tree, no recursion, so no header is too deep.
 */
struct pretty {
    struct text line;
    size_t depth;
    bool empty; /* an opening bracket was just written, and nothing in it */
};

enum { INDENT = 2, FLUSH_AT = 64 * 1024, LONGEST_LIST = 2048 };

static void new_line(struct pretty *pretty) {
    text_add(&pretty->line, "\n", 1);
    for (size_t i = 0; i < pretty->depth; i++) {
        text_add(&pretty->line, "  ", INDENT);
    }
}

static void add_token(struct pretty *pretty, char byte) {
    switch (byte) {
    case ' ':
    case '\t':
    case '\n':
    case '\r':
        return;
    case '}':
    case ']':
        pretty->depth--;
        if (!pretty->empty) {
            new_line(pretty);
        }
        pretty->empty = false;
        text_add(&pretty->line, &byte, 1);
        return;
    default:
        break;
    }
    if (pretty->empty) {
        new_line(pretty);
        pretty->empty = false;
    }
    text_add(&pretty->line, &byte, 1);
    if (byte == '{' || byte == '[') {
        pretty->depth++;
        pretty->empty = true;
    } else if (byte == ',') {
        new_line(pretty);
    } else if (byte == ':') {
        text_add(&pretty->line, " ", 1);
    }
}

/* A terminal gets the text with everything escaped that could steer it. */
static void put(struct text *text) {
    if (output_is_terminal()) {
        struct text escaped = TEXT_EMPTY;
        text_escape(&escaped, text->bytes, text->length, "\n\t");
        output_text(&escaped);
        text_free(&escaped);
    } else {
        output_text(text);
    }
    text_clear(text);
}

/* How many bytes the string takes that begins at json, quotation marks included. */
static size_t string_length(const char *json, size_t length) {
    size_t at = 1;
    while (at < length && json[at] != '"') {
        at += json[at] == '\\' ? 2 : 1;
    }
    return at < length ? at + 1 : length;
}

/* A list of plain values, as a shape is, stays on its line. Returns its bytes, 0 if it is none. */
static size_t add_short_list(struct pretty *pretty, const char *json, size_t length) {
    size_t end = 1;
    while (end < length && end < LONGEST_LIST && strchr("\"[]{}", json[end]) == NULL) {
        end++;
    }
    if (end == length || json[end] != ']') {
        return 0;
    }
    if (pretty->empty) {
        new_line(pretty);
        pretty->empty = false;
    }
    for (size_t i = 0; i <= end; i++) {
        if (strchr(" \t\n\r", json[i]) == NULL) {
            text_add(&pretty->line, json + i, 1);
        }
        if (json[i] == ',') {
            text_add(&pretty->line, " ", 1);
        }
    }
    return end + 1;
}

static void print_pretty(const char *json, size_t length) {
    struct pretty pretty = {TEXT_EMPTY, 0, false};
    size_t at = 0;
    while (at < length) {
        size_t list = json[at] == '[' ? add_short_list(&pretty, json + at, length - at) : 0;
        if (list > 0) {
            at += list;
        } else if (json[at] == '"') {
            size_t size = string_length(json + at, length - at);
            if (pretty.empty) {
                new_line(&pretty);
                pretty.empty = false;
            }
            text_add(&pretty.line, json + at, size);
            at += size;
        } else {
            add_token(&pretty, json[at]);
            at++;
        }
        if (pretty.line.length >= FLUSH_AT) {
            put(&pretty.line);
        }
    }
    text_add(&pretty.line, "\n", 1);
    put(&pretty.line);
    text_free(&pretty.line);
}

static void print_as_it_stands(const char *json, size_t length) {
    if (!output_is_terminal()) {
        output_bytes(json, length);
        return;
    }
    while (length > 0 && strchr(" \t\r\n", json[length - 1]) != NULL) {
        length--;
    }
    struct text text = TEXT_EMPTY;
    text_add(&text, json, length);
    text_add(&text, "\n", 1);
    put(&text);
    text_free(&text);
}

static int run_header(const struct args *args) {
    int code = args_expect(args, 1, 1, "one FILE");
    if (code != EXIT_FINE) {
        return code;
    }
    sft_model *model;
    code = input_open_single(args->operands[0], &model);
    if (code != EXIT_FINE) {
        return code;
    }
    size_t length;
    const char *json = sft_header_text(sft_file_header(sft_model_shard(model, 0)), &length);
    if (args->seen[OPTION_PRETTY]) {
        print_pretty(json, length);
    } else {
        print_as_it_stands(json, length);
    }
    sft_model_close(model);
    return EXIT_FINE;
}

static const struct option_spec options[] = {{"pretty", OPTION_PRETTY, '\0', false},
                                             {NULL, 0, '\0', false}};

const struct command command_header = {
    .name = "header",
    .summary = "the JSON header as it stands",
    .help = "Usage: sft header [--pretty] FILE\n"
            "\n"
            "Prints the JSON header of a file as it stands, byte for byte, its padding\n"
            "included. On a terminal the padding is left out and control characters are\n"
            "escaped.\n"
            "\n"
            "  --pretty     indented, a member a line\n"
            "\n"
            "Example: sft header model.safetensors | jq keys\n",
    .options = options,
    .run = run_header,
};
