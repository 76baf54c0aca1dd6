#include "streams.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DEEPEST 5

/* splitmix64, whose author gave it to the public domain. */
uint64_t stream_next(stream *to) {
    to->random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t mixed = to->random;
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

unsigned stream_below(stream *to, unsigned bound) {
    return (unsigned)((stream_next(to) >> 32) * bound >> 32);
}

static void put_bytes(stream *to, const void *bytes, size_t size) {
    if (size <= STREAM_ROOM - to->size) {
        memcpy(to->bytes + to->size, bytes, size);
        to->size += size;
    }
}

static void put_text(stream *to, const char *text) {
    put_bytes(to, text, strlen(text));
}

static void put_byte(stream *to, unsigned byte) {
    const unsigned char one = (unsigned char)byte;
    put_bytes(to, &one, 1);
}

static void put_number(stream *to, uint64_t number, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) {
        put_byte(to, number >> (8 * i) & 0xff);
    }
}

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define PICK(to, array) ((array)[stream_below(to, (unsigned)COUNT(array))])

/* Numbers and strings as text, each with its opcode: those that are read. */
static const char *const lines[] = {
    "I1\n",
    "I01\n",
    "I00\n",
    "I-7\n",
    "I0x1f\n",
    "I010\n",
    "I1_000\n",
    "I 5\n",
    "I5 \n",
    "I+1\n",
    "I-0\n",
    "I0b11\n",
    "I0o17\n",
    "I0_0\n",
    "I9223372036854775807\n",
    "I-9223372036854775808\n",
    "I9223372036854775808\n",
    "I\v3\n",
    "I1\r\n",
    "I0x_f\n",
    "L1L\n",
    "L0L\n",
    "L-12L\n",
    "L5\n",
    "L0x1fL\n",
    "L1_0L\n",
    "L340282366920938463463374607431768211455L\n",
    "L340282366920938463463374607431768211456L\n",
    "L-170141183460469231731687303715884105728L\n",
    "F1.5\n",
    "F-1e10\n",
    "Finf\n",
    "F-Infinity\n",
    "Fnan\n",
    "F1e-400\n",
    "F.5\n",
    "F5.\n",
    "F123456789012345678901234567890e-20\n",
    "S'text'\n",
    "S\"it's\"\n",
    "S'\\x41\\101\\n'\n",
    "S'\\\\'\n",
    "S'a'b'\n",
    "S''\n",
    "S'\\8\\400'\n",
    "S'\xe9'\n",
    "S'\\a\\b\\f\\r\\t\\v\\q\\\"'\n",
    "Vtext\n",
    "V\\u00e9\\u0041\n",
    "V\\\\u0041\n",
    "V\\U0001f600\n",
    "V\\ud800\n",
    "V\xe9\xff\n",
    "V\\\n",
    "V\n",
};

/* Those that are refused, some of them by one reader only. */
static const char *const odd_lines[] = {
    "I08\n",
    "I\n",
    "I0777777777777777777777777\n",
    "I0x\n",
    "I1__0\n",
    "I_1\n",
    "L010L\n",
    "LL\n",
    "F1e400\n",
    "F.\n",
    "F 1\n",
    "F0x1p3\n",
    "F1_0\n",
    "F1,5\n",
    "F1e\n",
    "S'\\'\n",
    "Sabc\n",
    "S'\\x4'\n",
    "V\\u12\n",
    "V\\U00110000\n",
};

static const char *const names[] = {"os", "system", "builtins", "a.b",
                                    "x",  "eval",   "\xc3\xa9", "\xed\xa0\x80"};
static const char *const odd_names[] = {"", "\xe9", "\xc0\x80", "\xed\xa0"};

static const char *name(stream *to) {
    return stream_below(to, 60) == 0 ? PICK(to, odd_names) : PICK(to, names);
}

static void put_string(stream *to) {
    const char *text = name(to);
    size_t size = strlen(text);
    switch (stream_below(to, 6)) {
    case 0:
        put_byte(to, 'X');
        put_number(to, size, 4);
        break;
    case 1:
        put_byte(to, 0x8d);
        put_number(to, size, 8);
        break;
    case 2:
        put_byte(to, 'U');
        put_number(to, size, 1);
        break;
    default:
        put_byte(to, 0x8c);
        put_number(to, size, 1);
    }
    put_bytes(to, text, size);
}

static void put_counted(stream *to) {
    static const struct {
        unsigned char opcode;
        unsigned char width;
    } kinds[] = {{'T', 4},  {'U', 1},  {'B', 4},  {'C', 1},
                 {0x8e, 8}, {0x96, 8}, {0x8a, 1}, {0x8b, 4}};
    unsigned kind = stream_below(to, (unsigned)COUNT(kinds));
    unsigned size = stream_below(to, 12);
    put_byte(to, kinds[kind].opcode);
    put_number(to, size, kinds[kind].width);
    for (unsigned i = 0; i < size; i++) {
        put_byte(to, stream_below(to, 2) == 0 ? 0xff : stream_below(to, 256));
    }
}

static void put_scalar(stream *to) {
    static const unsigned char plain[] = {'N', 0x88, 0x89, ')', ']', '}', 0x8f};
    switch (stream_below(to, 8)) {
    case 0:
    case 1:
        put_text(to, stream_below(to, 40) == 0 ? PICK(to, odd_lines) : PICK(to, lines));
        return;
    case 2:
        put_string(to);
        return;
    case 3:
        put_counted(to);
        return;
    case 4:
        put_byte(to, 'K');
        put_number(to, stream_next(to), 1);
        return;
    case 5:
        put_byte(to, stream_below(to, 2) == 0 ? 'J' : 'G');
        put_number(to, stream_next(to), to->bytes[to->size - 1] == 'J' ? 4 : 8);
        return;
    case 6:
        put_byte(to, 'M');
        put_number(to, stream_next(to), 2);
        return;
    default:
        put_byte(to, PICK(to, plain));
    }
}

static void put_global(stream *to) {
    switch (stream_below(to, 3)) {
    case 0:
        put_string(to);
        put_string(to);
        put_byte(to, 0x93);
        return;
    case 1: {
        static const unsigned char widths[] = {1, 2, 4};
        unsigned width = stream_below(to, 3);
        put_byte(to, 0x82 + width);
        put_number(to, stream_below(to, 60) == 0 ? 0x80000000 : 1 + stream_below(to, 4),
                   widths[width]);
        return;
    }
    default:
        put_byte(to, 'c');
        put_text(to, name(to));
        put_byte(to, '\n');
        put_text(to, name(to));
        put_byte(to, '\n');
    }
}

static void put_value(stream *to, unsigned depth);
static void put_stub(stream *to, unsigned depth);

static void put_values(stream *to, unsigned depth, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        put_value(to, depth + 1);
    }
}

static void put_tuple(stream *to, unsigned depth) {
    unsigned count = stream_below(to, 4);
    bool marked = stream_below(to, 3) == 0;
    if (marked) {
        put_byte(to, '(');
    }
    put_values(to, depth, count);
    put_byte(to, marked ? 't' : count == 0 ? ')' : 0x84 + count);
}

/* Items for what stands on the stack, be it made for them or not. */
static void put_items(stream *to, unsigned depth) {
    static const unsigned char many[] = {'e', 'u', 0x90};
    switch (stream_below(to, 4)) {
    case 0:
        put_value(to, depth + 1);
        put_byte(to, 'a');
        return;
    case 1:
        put_values(to, depth, 2);
        put_byte(to, 's');
        return;
    default:
        put_byte(to, '(');
        put_values(to, depth, 2 * stream_below(to, 3));
        put_byte(to, PICK(to, many));
    }
}

static void put_made(stream *to, unsigned depth) {
    switch (stream_below(to, 8)) {
    case 0:
        put_value(to, depth + 1);
        put_byte(to, 'Q');
        return;
    case 1:
        put_text(to, stream_below(to, 4) == 0 ? "P\n" : "Pid 7\n");
        return;
    case 2:
        put_global(to);
        return;
    case 3:
        put_byte(to, '(');
        put_values(to, depth, stream_below(to, 3));
        put_text(to, "ios\nsystem\n");
        return;
    case 4:
        put_byte(to, '(');
        put_stub(to, depth + 1);
        put_values(to, depth, stream_below(to, 3));
        put_byte(to, 'o');
        return;
    default:
        break;
    }
    bool deep = depth < DEEPEST && stream_below(to, 3) == 0;
    if (deep) {
        put_stub(to, depth + 1);
    } else {
        put_global(to);
    }
    put_tuple(to, depth);
    unsigned how = stream_below(to, 3);
    if (how == 2) {
        put_byte(to, '}');
        if (stream_below(to, 2) == 0) {
            put_text(to, "Vkey\nNs");
        }
    }
    put_byte(to, how == 0 ? 'R' : how == 1 ? 0x81 : 0x92);
}

/* Something whose methods are called, and calls of some. */
static void put_stub(stream *to, unsigned depth) {
    put_made(to, depth);
    if (depth < DEEPEST && stream_below(to, 3) == 0) {
        put_value(to, depth + 1);
        put_byte(to, 'b');
    }
    if (depth < DEEPEST && stream_below(to, 3) == 0) {
        put_items(to, depth + 1);
    }
}

static void put_container(stream *to, unsigned depth) {
    static const unsigned char gathered[] = {'l', 'd', 0x91, 't'};
    if (stream_below(to, 2) == 0) {
        put_byte(to, '(');
        put_values(to, depth, 2 * stream_below(to, 3));
        put_byte(to, PICK(to, gathered));
        return;
    }
    /* The container, and what adds to it. */
    static const char *const made[] = {"](", "}(", "\x8f("};
    static const unsigned char added[] = {'e', 'u', 0x90};
    unsigned kind = stream_below(to, 3);
    put_text(to, made[kind]);
    put_values(to, depth, 2 * stream_below(to, 3));
    put_byte(to, added[kind]);
}

static void put_memo(stream *to) {
    char line[16];
    unsigned again = stream_below(to, 3) == 0 ? to->memo + 1 : 300;
    unsigned index = stream_below(to, 4) == 0 ? stream_below(to, again) : to->memo;
    switch (stream_below(to, 4)) {
    case 0:
        snprintf(line, sizeof line, "p%u\n", index);
        put_text(to, line);
        break;
    case 1:
        put_byte(to, 'q');
        put_number(to, index, 1);
        break;
    case 2:
        put_byte(to, 'r');
        put_number(to, index, 4);
        break;
    default:
        put_byte(to, 0x94);
    }
    to->memo++;
}

static void get_memo(stream *to) {
    char line[16];
    unsigned index = stream_below(to, to->memo + (stream_below(to, 20) == 0));
    switch (stream_below(to, 3)) {
    case 0:
        snprintf(line, sizeof line, "g%u\n", index);
        put_text(to, line);
        break;
    case 1:
        put_byte(to, 'h');
        put_number(to, index, 1);
        break;
    default:
        put_byte(to, 'j');
        put_number(to, index, 4);
    }
}

/* What leaves the stack as it is. */
static void put_detour(stream *to, unsigned depth) {
    switch (stream_below(to, 7)) {
    case 0:
        put_value(to, depth + 1);
        put_byte(to, '0');
        return;
    case 1:
        put_byte(to, '(');
        put_values(to, depth, stream_below(to, 3));
        put_byte(to, '1');
        return;
    case 2:
        put_text(to, "(0");
        return;
    case 3:
        put_byte(to, 0x80);
        put_byte(to, stream_below(to, 50) == 0 ? 6 : stream_below(to, 6));
        return;
    case 4:
        put_byte(to, 0x95);
        put_number(to, stream_below(to, 12), 8);
        return;
    default:
        put_memo(to);
    }
}

static void put_value(stream *to, unsigned depth) {
    unsigned choice = depth >= DEEPEST ? stream_below(to, 4) : stream_below(to, 20);
    if (choice < 4) {
        put_scalar(to);
    } else if (choice < 6) {
        put_tuple(to, depth);
    } else if (choice < 9) {
        put_container(to, depth);
    } else if (choice < 14) {
        put_stub(to, depth);
    } else if (choice < 15) {
        put_text(to, stream_below(to, 2) == 0 ? "\x97" : "\x97\x98");
    } else if (choice < 16) {
        put_value(to, depth + 1);
        put_text(to, "2\x86");
    } else if (choice < 17 && to->memo > 0) {
        get_memo(to);
    } else {
        put_value(to, depth + 1);
    }
    switch (stream_below(to, 60)) {
    case 0:
        put_value(to, depth + 1);
        put_byte(to, 'b');
        break;
    case 1:
        put_items(to, depth + 1);
        break;
    case 2:
        put_detour(to, depth + 1);
        break;
    default:
        if (stream_below(to, 8) == 0) {
            put_memo(to);
        }
    }
}

void stream_piece(stream *to) {
    put_value(to, DEEPEST - 2);
}

void stream_generate(stream *to) {
    to->size = 0;
    to->memo = 0;
    if (stream_below(to, 2) == 0) {
        put_byte(to, 0x80);
        put_byte(to, stream_below(to, 6));
    }
    size_t frame = 0;
    if (stream_below(to, 4) == 0) {
        put_byte(to, 0x95);
        put_number(to, 0, 8);
        frame = to->size;
    }
    put_value(to, 0);
    put_byte(to, '.');
    if (frame != 0) {
        /* The length of the rest; now and then one less. */
        size_t length = to->size - frame - (stream_below(to, 8) == 0);
        to->bytes[frame - 8] = (unsigned char)(length & 0xff);
        to->bytes[frame - 7] = (unsigned char)(length >> 8);
    }
    if (stream_below(to, 4) == 0) {
        put_text(to, "N.");
    }
}
