#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "pickle/judge.h"

/* What lies deeper, and what of a text is longer, is shown as three dots. */
#define DEPTH 12
#define TEXT_SHOWN 160
#define DOTS "..."

/* A row that is being written. */
typedef struct row {
    uint32_t link;     /* of what comes next; 0: the end */
    bool pairs;        /* key, value, key, value… */
    bool value;        /* of a pair, the value is next */
    bool first;        /* nothing was written of it yet */
    bool single;       /* a tuple of one ends with a comma */
    const char *close; /* written at its end */
} row;

typedef struct show {
    const sft_graph *graph;
    const sft_pickle_input *input;
    sft_line line;
    row rows[DEPTH];
    unsigned depth;
} show;

static bool is_full(const show *s) {
    return s->line.used >= s->line.size;
}

/* ---- texts ---- */

/* The beginning of a text: at most `size` bytes. NULL where it cannot be had. */
static const char *beginning(const show *s, const sft_long_text *text, char *buffer, size_t size) {
    if (text->text.bytes != NULL) {
        return text->text.bytes;
    }
    bool readable =
        s->input != NULL && s->input->read != NULL &&
        s->input->read(s->input->context, text->text.offset, buffer, size, NULL) == SFT_OK;
    return readable ? buffer : NULL;
}

/* Where a text is cut, not to end within a character. */
static size_t whole_characters(const char *bytes, size_t length) {
    size_t back = 0;
    while (back < 3 && back < length && ((unsigned char)bytes[length - back - 1] & 0xc0U) == 0x80) {
        back++;
    }
    bool lead = back < length && ((unsigned char)bytes[length - back - 1] & 0xc0U) == 0xc0;
    return lead ? length - back - 1 : length;
}

static void add_byte(show *s, unsigned char byte) {
    const char *letter = byte == '\n' ? "\\n" : byte == '\r' ? "\\r" : byte == '\t' ? "\\t" : NULL;
    char escape[8] = {(char)byte, '\0'};
    if (letter == NULL && (byte < 0x20 || byte >= 0x7f)) {
        snprintf(escape, sizeof escape, "\\x%02x", byte);
    }
    sft_line_add(&s->line, letter != NULL ? letter : escape);
}

/* Python quotes with ' unless that would need an escape that " does not. */
static void add_quoted(show *s, const char *bytes, size_t length, bool is_bytes) {
    char quote =
        memchr(bytes, '\'', length) != NULL && memchr(bytes, '"', length) == NULL ? '"' : '\'';
    char quoted[2] = {quote, '\0'};
    char escaped[3] = {'\\', quote, '\0'};
    sft_line_add(&s->line, quoted);
    size_t run = 0;
    for (size_t at = 0; at < length && !is_full(s); at++) {
        bool special = bytes[at] == quote || bytes[at] == '\\';
        if (is_bytes && !special) {
            add_byte(s, (unsigned char)bytes[at]);
        }
        if (!is_bytes && (special || at + 1 == length)) {
            sft_line_escape(&s->line, bytes + run, at + (special ? 0U : 1U) - run, NULL, false);
            run = at + 1;
        }
        if (special) {
            sft_line_add(&s->line, bytes[at] == '\\' ? "\\\\" : escaped);
        }
    }
    sft_line_add(&s->line, quoted);
}

static void add_text(show *s, sft_ref ref) {
    const sft_long_text *text = sft_graph_text(s->graph, ref);
    sft_value_kind kind = sft_graph_kind(s->graph, ref);
    bool is_bytes = kind == SFT_VALUE_BYTES || kind == SFT_VALUE_BYTEARRAY;
    char buffer[TEXT_SHOWN];
    size_t length = text->length < TEXT_SHOWN ? (size_t)text->length : TEXT_SHOWN;
    const char *bytes = length == 0 ? "" : beginning(s, text, buffer, length);
    sft_line_add(&s->line, kind == SFT_VALUE_BYTEARRAY ? "bytearray(b" : is_bytes ? "b" : "");
    if (bytes == NULL) {
        sft_line_add(&s->line, "'" DOTS "'");
    } else {
        bool cut = text->length > length;
        add_quoted(s, bytes, cut && !is_bytes ? whole_characters(bytes, length) : length, is_bytes);
        sft_line_add(&s->line, cut ? DOTS : "");
    }
    sft_line_add(&s->line, kind == SFT_VALUE_BYTEARRAY ? ")" : "");
}

/* A text without quotes, as part of a name. */
static void add_name(show *s, sft_ref ref) {
    sft_value_kind kind = sft_graph_kind(s->graph, ref);
    if (kind != SFT_VALUE_STR && kind != SFT_VALUE_OLD_STR) {
        sft_line_add(&s->line, "<computed>");
        return;
    }
    const sft_long_text *text = sft_graph_text(s->graph, ref);
    char buffer[TEXT_SHOWN];
    size_t length = text->length < TEXT_SHOWN ? (size_t)text->length : TEXT_SHOWN;
    const char *bytes = length == 0 ? "" : beginning(s, text, buffer, length);
    if (bytes != NULL) {
        length = text->length > length ? whole_characters(bytes, length) : length;
        sft_line_escape(&s->line, bytes, length, NULL, false);
    }
    sft_line_add(&s->line, bytes == NULL || text->length > length ? DOTS : "");
}

/* ---- numbers ---- */

static void add_number(show *s, const char *before, int64_t number, const char *after) {
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, number);
    sft_line_add(&s->line, before);
    sft_line_add(&s->line, text);
    sft_line_add(&s->line, after);
}

/* The shortest text that reads as the same number, with a point as Python has it. */
static void add_real(show *s, double real) {
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, real);
        if (strtod(text, NULL) == real) {
            break;
        }
    }
    char *comma = strchr(text, ','); /* of the locale's */
    if (comma != NULL) {
        *comma = '.';
    }
    sft_line_add(&s->line, text);
    sft_line_add(&s->line, strpbrk(text, ".ein") == NULL ? ".0" : "");
}

static void add_big_int(show *s, sft_ref ref) {
    char text[64];
    snprintf(text, sizeof text, "<an integer of %" PRIu64 " bytes>",
             sft_graph_text(s->graph, ref)->length);
    sft_line_add(&s->line, text);
}

/* ---- rows ---- */

static void open_row(show *s, uint32_t link, bool pairs, const char *open, const char *close) {
    sft_line_add(&s->line, open);
    if (link != 0 && s->depth == DEPTH) {
        sft_line_add(&s->line, DOTS);
        sft_line_add(&s->line, close);
        return;
    }
    if (link == 0) {
        sft_line_add(&s->line, close);
        return;
    }
    s->rows[s->depth++] = (row){link, pairs, false, true, false, close};
}

static void open_tuple(show *s, const sft_value *value) {
    unsigned depth = s->depth;
    open_row(s, value->items.first, false, "(", ")");
    if (s->depth > depth) {
        s->rows[depth].single = value->count == 1;
    }
}

/* builtins are written as programs have them: without the module. */
static void add_global(show *s, const sft_value *value) {
    sft_ref module = value->global.module;
    if (!sft_graph_is_text(s->graph, module, "builtins") &&
        !sft_graph_is_text(s->graph, module, "__builtin__")) {
        add_name(s, module);
        sft_line_add(&s->line, ".");
    }
    add_name(s, value->global.name);
}

/* What is called, where that is a name or what another call returned, as far as that goes. */
static void add_callee(show *s, sft_ref callee) {
    unsigned calls = 0;
    while (callee != SFT_NO_REF && sft_graph_kind(s->graph, callee) == SFT_VALUE_OBJECT) {
        callee = sft_graph_object(s->graph, callee)->callee;
        calls++;
        if (calls == DEPTH) {
            break;
        }
    }
    if (callee == SFT_NO_REF || sft_graph_kind(s->graph, callee) != SFT_VALUE_GLOBAL) {
        sft_line_add(&s->line, "<value>");
    } else {
        add_global(s, sft_graph_value(s->graph, callee));
    }
    for (; calls > 0; calls--) {
        sft_line_add(&s->line, "(" DOTS ")");
    }
}

static void add_object(show *s, const sft_object *object) {
    add_callee(s, object->callee);
    if (object->arguments == SFT_NO_REF ||
        sft_graph_kind(s->graph, object->arguments) != SFT_VALUE_TUPLE) {
        sft_line_add(&s->line, "(*" DOTS ")");
        return;
    }
    const sft_value *arguments = sft_graph_value(s->graph, object->arguments);
    if (arguments->count == 0 && object->set_count > 0) {
        sft_line_add(&s->line, "(");
        open_row(s, object->set.first, true, "{", "})");
    } else if (arguments->count == 0 && object->appended_count > 0) {
        sft_line_add(&s->line, "(");
        open_row(s, object->appended.first, false, "[", "])");
    } else {
        open_row(s, arguments->items.first, false, "(", ")");
    }
}

static void add_value(show *s, sft_ref ref) {
    const sft_value *value = sft_graph_value(s->graph, ref);
    switch ((sft_value_kind)value->kind) {
    case SFT_VALUE_NONE:
        sft_line_add(&s->line, "None");
        break;
    case SFT_VALUE_BOOL:
        sft_line_add(&s->line, value->integer != 0 ? "True" : "False");
        break;
    case SFT_VALUE_INT:
        add_number(s, "", value->integer, "");
        break;
    case SFT_VALUE_BIG_INT:
        add_big_int(s, ref);
        break;
    case SFT_VALUE_FLOAT:
        add_real(s, value->real);
        break;
    case SFT_VALUE_STR:
    case SFT_VALUE_OLD_STR:
    case SFT_VALUE_BYTES:
    case SFT_VALUE_BYTEARRAY:
        add_text(s, ref);
        break;
    case SFT_VALUE_LIST:
        open_row(s, value->items.first, false, "[", "]");
        break;
    case SFT_VALUE_TUPLE:
        open_tuple(s, value);
        break;
    case SFT_VALUE_DICT:
        open_row(s, value->items.first, true, "{", "}");
        break;
    case SFT_VALUE_SET:
        open_row(s, value->items.first, false, value->count == 0 ? "set(" : "{",
                 value->count == 0 ? ")" : "}");
        break;
    case SFT_VALUE_FROZENSET:
        open_row(s, value->items.first, false, value->count == 0 ? "frozenset(" : "frozenset({",
                 value->count == 0 ? ")" : "})");
        break;
    case SFT_VALUE_GLOBAL:
        add_global(s, value);
        break;
    case SFT_VALUE_OBJECT:
        add_object(s, sft_graph_object(s->graph, ref));
        break;
    case SFT_VALUE_PERSISTENT:
        open_row(s, value->items.first, false, "persistent_load(", ")");
        break;
    case SFT_VALUE_EXTENSION:
        add_number(s, "extension(", value->integer, ")");
        break;
    case SFT_VALUE_BUFFER:
        add_number(s, "buffer(", value->integer, ")");
        break;
    }
}

/* Writes what comes next of the innermost row: an element with what stands before it, or its end.
 */
static void step(show *s) {
    row *r = &s->rows[s->depth - 1];
    if (r->link == 0) {
        sft_line_add(&s->line, r->single ? "," : "");
        sft_line_add(&s->line, r->close);
        s->depth--;
        return;
    }
    sft_line_add(&s->line, r->first ? "" : r->value ? ": " : ", ");
    r->first = false;
    r->value = r->pairs && !r->value;
    add_value(s, sft_graph_item(s->graph, &r->link));
}

size_t sft_show_value(const sft_graph *graph, const sft_pickle_input *input, sft_ref ref, char *to,
                      size_t size) {
    static const char cut[] = DOTS;
    if (size == 0) {
        return 0;
    }
    size_t room = size > sizeof cut ? size - (sizeof cut - 1) : size;
    show s = {graph, input, sft_line_begin(to, room), {{0}}, 0};
    if (ref == SFT_NO_REF) {
        sft_line_add(&s.line, "<nothing>");
    } else {
        add_value(&s, ref);
    }
    while (s.depth > 0 && !is_full(&s)) {
        step(&s);
    }
    size_t length = strlen(to);
    if (is_full(&s) && size - length >= sizeof cut) {
        memcpy(to + length, cut, sizeof cut);
        length += sizeof cut - 1;
    }
    return length;
}
