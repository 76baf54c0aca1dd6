#include "checkpoint/detect_pickle.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

/* What follows an opcode, in Lib/pickletools.py's terms. */
typedef enum operand {
    NO_OPCODE = 0,
    NOTHING,
    BYTES_1,
    BYTES_2,
    BYTES_4,
    BYTES_8,
    COUNTED_1, /* a length, and as many bytes */
    COUNTED_4,
    COUNTED_8,
    LINE,
    NUMBER_LINE,
    QUOTED_LINE,
    TEXT_LINE,
    NAME_LINES /* two: the module is imported, whatever is then looked up in it */
} operand;

static const unsigned char operands[256] = {
    ['('] = NOTHING,     [')'] = NOTHING,     ['.'] = NOTHING,     ['0'] = NOTHING,
    ['1'] = NOTHING,     ['2'] = NOTHING,     ['N'] = NOTHING,     ['Q'] = NOTHING,
    ['R'] = NOTHING,     [']'] = NOTHING,     ['a'] = NOTHING,     ['b'] = NOTHING,
    ['d'] = NOTHING,     ['e'] = NOTHING,     ['l'] = NOTHING,     ['o'] = NOTHING,
    ['s'] = NOTHING,     ['t'] = NOTHING,     ['u'] = NOTHING,     ['}'] = NOTHING,
    ['F'] = NUMBER_LINE, ['I'] = NUMBER_LINE, ['L'] = NUMBER_LINE, ['g'] = NUMBER_LINE,
    ['p'] = NUMBER_LINE, ['P'] = LINE,        ['V'] = LINE,        ['S'] = QUOTED_LINE,
    ['c'] = NAME_LINES,  ['i'] = NAME_LINES,  ['K'] = BYTES_1,     ['h'] = BYTES_1,
    ['q'] = BYTES_1,     ['M'] = BYTES_2,     ['J'] = BYTES_4,     ['j'] = BYTES_4,
    ['r'] = BYTES_4,     ['G'] = BYTES_8,     ['C'] = COUNTED_1,   ['U'] = COUNTED_1,
    ['B'] = COUNTED_4,   ['T'] = COUNTED_4,   ['X'] = COUNTED_4,   [0x80] = BYTES_1,
    [0x81] = NOTHING,    [0x82] = BYTES_1,    [0x83] = BYTES_2,    [0x84] = BYTES_4,
    [0x85] = NOTHING,    [0x86] = NOTHING,    [0x87] = NOTHING,    [0x88] = NOTHING,
    [0x89] = NOTHING,    [0x8a] = COUNTED_1,  [0x8b] = COUNTED_4,  [0x8c] = COUNTED_1,
    [0x8d] = COUNTED_8,  [0x8e] = COUNTED_8,  [0x8f] = NOTHING,    [0x90] = NOTHING,
    [0x91] = NOTHING,    [0x92] = NOTHING,    [0x93] = NOTHING,    [0x94] = NOTHING,
    [0x95] = BYTES_8,    [0x96] = COUNTED_8,  [0x97] = NOTHING,    [0x98] = NOTHING,
};

/* Where nothing is on the stack, these fail: all that need something there. */
static bool needs_stack(unsigned char opcode) {
    static const char needing[] = "012QRabdeghijlopqrstu.\x81\x85\x86\x87\x90\x91\x92\x93\x94\x98";
    return memchr(needing, opcode, sizeof needing - 1) != NULL;
}

/* Imports. Nothing can be called that was not imported before. */
static bool imports(unsigned char opcode) {
    static const char importing[] = "ci\x82\x83\x84\x93";
    return memchr(importing, opcode, sizeof importing - 1) != NULL;
}

typedef struct look {
    const unsigned char *at;
    const unsigned char *end;
    uint64_t beyond; /* bytes of the file behind `end` */
    bool cut;        /* an operand ends behind `end` */
} look;

/* False where the file ends before the operand does. */
static bool skip(look *in, uint64_t size) {
    uint64_t here = (uint64_t)(in->end - in->at);
    in->cut = size > here;
    in->at = in->cut ? in->end : in->at + size;
    return !in->cut || size - here <= in->beyond;
}

static bool skip_counted(look *in, unsigned width) {
    if ((size_t)(in->end - in->at) < width) {
        return skip(in, width);
    }
    uint64_t size = 0;
    for (unsigned i = 0; i < width; i++) {
        size |= (uint64_t)in->at[i] << (8 * i);
    }
    in->at += width;
    return skip(in, size);
}

static bool names_a_number(const unsigned char *line, size_t length) {
    /* strtol() and float() skip blanks; float() knows inf and nan. */
    static const char first[] = "0123456789+-. \t\v\f\riInN";
    return length > 0 && memchr(first, line[0], sizeof first - 1) != NULL;
}

static bool names_a_global(const unsigned char *line, size_t length, bool whole) {
    for (size_t i = 0; i < length; i++) {
        if (line[i] <= ' ') {
            return false;
        }
    }
    return length > 0 && (!whole || sft_utf8_check(line, length) == length);
}

static bool skip_line(look *in, operand kind) {
    const unsigned char *line = in->at;
    const unsigned char *newline = memchr(line, '\n', (size_t)(in->end - line));
    in->cut = newline == NULL;
    if (in->cut && in->beyond == 0) {
        return false;
    }
    size_t length = (size_t)((in->cut ? in->end : newline) - line);
    in->at = in->cut ? in->end : newline + 1;
    switch (kind) {
    case NUMBER_LINE:
        return names_a_number(line, length);
    case QUOTED_LINE:
        return length > 0 && (line[0] == '\'' || line[0] == '"');
    case NAME_LINES:
        return names_a_global(line, length, !in->cut);
    case TEXT_LINE:
        return in->cut || sft_utf8_check(line, length) == length;
    default:
        return true;
    }
}

/* False where CPython would stop. */
static bool skip_operand(look *in, operand kind) {
    switch (kind) {
    case NO_OPCODE:
        return false;
    case NOTHING:
        return true;
    case BYTES_1:
        return skip(in, 1);
    case BYTES_2:
        return skip(in, 2);
    case BYTES_4:
        return skip(in, 4);
    case BYTES_8:
        return skip(in, 8);
    case COUNTED_1:
        return skip_counted(in, 1);
    case COUNTED_4:
        return skip_counted(in, 4);
    case COUNTED_8:
        return skip_counted(in, 8);
    case NAME_LINES:
        return skip_line(in, NAME_LINES) && (in->cut || skip_line(in, TEXT_LINE));
    case LINE:
    case NUMBER_LINE:
    case QUOTED_LINE:
    case TEXT_LINE:
        break;
    }
    return skip_line(in, kind);
}

bool sft_begins_as_pickle(const unsigned char *bytes, size_t size, uint64_t file_size) {
    if (size == 0 || needs_stack(bytes[0])) {
        return false;
    }
    if (size >= 2 && bytes[0] == 0x80) {
        return bytes[1] <= 5;
    }
    look in = {bytes, bytes + size, file_size - size, false};
    while (in.at < in.end) {
        unsigned char opcode = *in.at++;
        if (!skip_operand(&in, (operand)operands[opcode])) {
            return false;
        }
        if (opcode == '.' || imports(opcode) || in.cut) {
            return true;
        }
    }
    return in.beyond > 0;
}
