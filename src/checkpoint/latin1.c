/*
 * Text that stands for bytes: protocols 0 to 2 have no opcode for bytes, so Python writes them as
 * the text that latin1 decodes them to, in UTF-8, and has _codecs.encode turn it back.
 */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/sources.h"

#define INPUT 16384

typedef struct decoder {
    sft_allocator allocator;
    sft_region from;
    uint64_t next; /* of `from`, behind what lies in `input` */
    size_t used, filled;
    unsigned char input[INPUT];
} decoder;

static sft_status refill(decoder *of, sft_error *error) {
    size_t left = of->filled - of->used;
    memmove(of->input, of->input + of->used, left);
    uint64_t size = sft_min(INPUT - left, of->from.size - of->next);
    sft_status status = sft_region_read(&of->from, of->next, of->input + left, size, error);
    if (status == SFT_OK) {
        of->next += size;
        of->used = 0;
        of->filled = left + (size_t)size;
    }
    return status;
}

static sft_status refuse(const decoder *of, sft_error *error) {
    return sft_fail(error, SFT_MALFORMED_SOURCE, of->next - (of->filled - of->used),
                    "this text does not stand for bytes: a character here is beyond latin1");
}

static sft_status make(void *maker, void *to, size_t size, size_t *made, sft_error *error) {
    decoder *of = maker;
    unsigned char *at = to;
    for (*made = 0; *made < size;) {
        if (of->filled - of->used < 2 && of->next < of->from.size) {
            sft_status status = refill(of, error);
            if (status != SFT_OK) {
                return status;
            }
        }
        size_t left = of->filled - of->used;
        const unsigned char *in = of->input + of->used;
        if (left == 0) {
            return SFT_OK;
        }
        if (in[0] < 0x80) {
            at[(*made)++] = in[0];
            of->used++;
        } else if (left >= 2 && (in[0] == 0xc2 || in[0] == 0xc3) && (in[1] & 0xc0) == 0x80) {
            at[(*made)++] = (unsigned char)(in[0] << 6 | (in[1] & 0x3f));
            of->used += 2;
        } else {
            return refuse(of, error);
        }
    }
    return SFT_OK;
}

static void *begin(const sft_stream *stream, const sft_allocator *allocator) {
    decoder *made = sft_allocate(allocator, sizeof *made);
    if (made != NULL) {
        made->allocator = *allocator;
        made->from = stream->from;
        made->next = 0;
        made->used = made->filled = 0;
    }
    return made;
}

static void *mark(void *maker) {
    const decoder *of = maker;
    uint64_t *place = sft_allocate(&of->allocator, sizeof *place);
    if (place != NULL) {
        *place = of->next - (of->filled - of->used);
    }
    return place;
}

static bool go_back(void *maker, const void *to) {
    decoder *of = maker;
    const uint64_t *place = to;
    of->next = place != NULL ? *place : 0;
    of->used = of->filled = 0;
    return true;
}

static void forget(void *maker, void *marked) {
    const decoder *of = maker;
    sft_release(&of->allocator, marked, sizeof(uint64_t));
}

static void end(void *maker) {
    decoder *of = maker;
    sft_allocator allocator = of->allocator;
    sft_release(&allocator, of, sizeof *of);
}

static const sft_stream_kind decoding = {begin, make, mark, go_back, forget, end};

sft_status sft_sources_latin1(sft_sources *sources, const sft_region *text, uint64_t size,
                              sft_region *bytes, sft_error *error) {
    sft_stream stream = {.kind = &decoding, .from = *text, .size = size, .exact = true};
    return sft_sources_stream(sources, &stream, bytes, error);
}

/* Every character has one byte that is none of those which follow another. */
sft_status sft_text_characters(const sft_region *text, uint64_t *count, sft_error *error) {
    unsigned char piece[INPUT];
    *count = 0;
    for (uint64_t at = 0; at < text->size;) {
        size_t size = (size_t)sft_min(sizeof piece, text->size - at);
        sft_status status = sft_region_read(text, at, piece, size, error);
        if (status != SFT_OK) {
            return status;
        }
        size_t characters = 0;
        for (size_t i = 0; i < size; i++) {
            characters += (piece[i] & 0xc0) != 0x80;
        }
        *count += characters;
        at += size;
    }
    return SFT_OK;
}
