#include <string.h>

#include "streams.h"

/* Takes `old` bytes away at a place and puts `size` others there, if there is room. */
static void replace(stream *to, size_t at, size_t old, const unsigned char *bytes, size_t size) {
    if (to->size - old + size > STREAM_ROOM) {
        return;
    }
    unsigned char copy[STREAM_ROOM];
    memcpy(copy, bytes, size);
    memmove(to->bytes + at + size, to->bytes + at + old, to->size - at - old);
    memcpy(to->bytes + at, copy, size);
    to->size = to->size - old + size;
}

static size_t span(stream *to, size_t left, unsigned most) {
    size_t length = stream_below(to, most) + 1;
    return length < left ? length : left;
}

static void change_once(stream *to, const unsigned char *other, size_t other_size) {
    static const char opcodes[] = "(.012FIJKLMNPQRSTUVXabcd}eghijl]opqrst)uGBC"
                                  "\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f"
                                  "\x90\x91\x92\x93\x94\x95\x96\x97\x98";
    size_t at = stream_below(to, (unsigned)to->size + 1);
    size_t left = to->size - at;
    unsigned char byte = (unsigned char)opcodes[stream_below(to, sizeof opcodes - 1)];
    switch (stream_below(to, 8)) {
    case 0:
        byte = (unsigned char)stream_below(to, 256);
        replace(to, at, left > 0, &byte, 1);
        return;
    case 1:
        replace(to, at, left > 0, &byte, 1);
        return;
    case 2:
        replace(to, at, 0, &byte, 1);
        return;
    case 3:
        replace(to, at, span(to, left, 8), &byte, 0);
        return;
    case 4: {
        size_t from = stream_below(to, (unsigned)to->size + 1);
        replace(to, at, 0, to->bytes + from, span(to, to->size - from, 30));
        return;
    }
    case 5: {
        size_t from = stream_below(to, (unsigned)other_size + 1);
        replace(to, at, span(to, left, 4), other + from, span(to, other_size - from, 30));
        return;
    }
    case 6: {
        stream *fresh = &(stream){.random = stream_next(to)};
        stream_piece(fresh);
        replace(to, at, 0, fresh->bytes, fresh->size);
        return;
    }
    default:
        if (left > 0) {
            to->bytes[at] = (unsigned char)(to->bytes[at] ^ 1U << stream_below(to, 8));
        }
    }
}

void stream_mutate(stream *to, const unsigned char *other, size_t other_size) {
    for (unsigned changes = 1 + stream_below(to, 4); changes > 0; changes--) {
        change_once(to, other, other_size);
    }
}
