/* The text of a header with other metadata in it. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "format/edit.h"
#include "format/encode.h"
#include "format/header.h"

static const char key[] = "\"__metadata__\":";

/* Less room than this is not worth having. */
#define SMALLEST_ROOM 64U

/*
 * A header in pieces: the old text up to the metadata, the key if it is new, the metadata, room
 * (not counted here), a comma if the key is new and not alone, the rest of the old text.
 */
typedef struct pieces {
    const char *head;
    uint64_t head_size;
    const char *key; /* "" if it is in the head */
    uint64_t value_size;
    const char *comma; /* or "" */
    const char *rest;
    uint64_t rest_size;    /* without the space at its end */
    uint64_t trailing;     /* that space */
    uint64_t before_room;  /* bytes up to the end of the metadata */
    uint64_t without_room; /* bytes in all, without the trailing space */
} pieces;

static bool is_space(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static pieces take_apart(const sft_edit *edit, const sft_header *header) {
    size_t length;
    const char *text = sft_header_text(header, &length);
    uint64_t begin;
    uint64_t end;
    pieces parts = {.head = text, .key = "", .comma = ""};
    bool present = sft_header_metadata_span(header, &begin, &end);
    if (!present) {
        const char *brace = memchr(text, '{', length);
        begin = (uint64_t)(brace - text) + 1;
        end = begin;
        parts.key = key;
        parts.comma = sft_header_count(header) > 0 ? "," : "";
    }
    /* Spaces behind the metadata are its room. */
    while (text[end] == ' ') {
        end++;
    }
    uint64_t last = length;
    while (last > end && is_space(text[last - 1])) {
        last--;
    }
    parts.head_size = begin;
    parts.rest = text + end;
    parts.rest_size = last - end;
    parts.trailing = length - last;
    parts.value_size = sft_encode_metadata(edit->left, edit->left_count, NULL);
    parts.before_room = begin + strlen(parts.key) + parts.value_size;
    parts.without_room = parts.before_room + strlen(parts.comma) + parts.rest_size;
    return parts;
}

static char *put(char *to, const char *bytes, uint64_t size) {
    memcpy(to, bytes, (size_t)size);
    return to + size;
}

/*
 * Puts the pieces together to a text of `length` bytes, which they fit into. The space at the old
 * end stays only if `trailing` says so; all other goes behind the metadata.
 */
static sft_status put_together(const sft_edit *edit, const pieces *parts, uint64_t length,
                               bool trailing, sft_edit_text *text, sft_error *error) {
    uint64_t rest_size = parts->rest_size + (trailing ? parts->trailing : 0);
    uint64_t room = length - parts->without_room - (trailing ? parts->trailing : 0);
    *text = (sft_edit_text){.size = SFT_HEADER_PREFIX + length};
    text->bytes = sft_allocate(&edit->allocator, text->size);
    if (text->bytes == NULL) {
        return sft_fail_memory(error);
    }
    sft_encode_length(length, text->bytes);
    char *at = put(text->bytes + SFT_HEADER_PREFIX, parts->head, parts->head_size);
    at = put(at, parts->key, strlen(parts->key));
    at += sft_encode_metadata(edit->left, edit->left_count, at);
    memset(at, ' ', (size_t)room);
    at = put(at + room, parts->comma, strlen(parts->comma));
    put(at, parts->rest, rest_size);
    return SFT_OK;
}

/* Finds what changes; false if it lies in more than one sector. Something does. */
static bool in_one_sector(const sft_header *header, sft_edit_text *text) {
    size_t length;
    const char *old = sft_header_text(header, &length);
    const char *now = text->bytes + SFT_HEADER_PREFIX;
    uint64_t first = 0;
    while (first < length && old[first] == now[first]) {
        first++;
    }
    uint64_t end = length;
    while (end > first && old[end - 1] == now[end - 1]) {
        end--;
    }
    text->first = SFT_HEADER_PREFIX + first;
    text->end = SFT_HEADER_PREFIX + end;
    return end == first || text->first / SFT_SECTOR == (text->end - 1) / SFT_SECTOR;
}

sft_status sft_edit_in_place(const sft_edit *edit, const sft_header *header, sft_edit_text *text,
                             sft_error *error) {
    *text = (sft_edit_text){.bytes = NULL};
    pieces parts = take_apart(edit, header);
    uint64_t length = sft_header_data_start(header) - SFT_HEADER_PREFIX;
    if (parts.without_room > length) {
        return SFT_OK;
    }
    /* Where the metadata's own room does, what follows it stays in its place. */
    bool trailing = parts.without_room + parts.trailing <= length;
    sft_status status = put_together(edit, &parts, length, trailing, text, error);
    if (status == SFT_OK && !in_one_sector(header, text)) {
        sft_edit_text_free(text, &edit->allocator);
    }
    return status;
}

/* Room up to the end of the sector in which the metadata ends, so that it can grow in place. */
static uint64_t wanted_room(uint64_t before_room) {
    uint64_t room = SFT_SECTOR - (SFT_HEADER_PREFIX + before_room) % SFT_SECTOR;
    return room < SMALLEST_ROOM ? room + SFT_SECTOR : room;
}

/* The smallest number from `least` on that leaves the remainder when divided by the step. */
static uint64_t next_congruent(uint64_t least, uint64_t remainder, uint64_t step) {
    uint64_t at = least - least % step + remainder;
    return at < least ? at + step : at;
}

sft_status sft_edit_with_room(const sft_edit *edit, const sft_header *header, uint64_t alignment,
                              uint64_t block, sft_edit_text *text, sft_error *error) {
    *text = (sft_edit_text){.bytes = NULL};
    pieces parts = take_apart(edit, header);
    uint64_t least = SFT_HEADER_PREFIX + parts.without_room;
    uint64_t old_start = sft_header_data_start(header);
    bool congruent = old_start % sft_min(alignment, block) == 0;
    uint64_t step = alignment > block || !congruent ? alignment : block;
    uint64_t start = next_congruent(least + wanted_room(parts.before_room),
                                    congruent && step == block ? old_start % block : 0, step);
    if (start - SFT_HEADER_PREFIX > SFT_DEFAULT_HEADER_BYTES) {
        start = next_congruent(least, 0, alignment);
    }
    if (start - SFT_HEADER_PREFIX > SFT_DEFAULT_HEADER_BYTES) {
        return sft_encode_too_large(error);
    }
    return put_together(edit, &parts, start - SFT_HEADER_PREFIX, false, text, error);
}

void sft_edit_text_free(sft_edit_text *text, const sft_allocator *allocator) {
    sft_release(allocator, text->bytes, text->size);
    text->bytes = NULL;
}
