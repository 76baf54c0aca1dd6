/*
 * Changing the metadata in the text of a header, and nothing else in it.
 *
 * Two steps: what the metadata says after the changes, and the text that says so.
 */
#ifndef SFT_SRC_FORMAT_EDIT_H
#define SFT_SRC_FORMAT_EDIT_H

#include <sft/edit.h>
#include <sft/header.h>

#include "base/names.h"

/* What a disk writes whole or not at all. */
#define SFT_SECTOR 512U

/* An entry, or one that a change removed. Begins as sft_named does. */
typedef struct sft_edit_entry {
    sft_metadata_entry entry;
    bool removed;
} sft_edit_entry;

/* The metadata after the changes: keys and values are the header's and the caller's. */
typedef struct sft_edit {
    sft_allocator allocator;
    sft_edit_entry *entries;
    uint64_t capacity;
    uint64_t count; /* of entries, removed ones included */
    sft_names names;
    const sft_metadata_entry **left; /* those that are left, in the order they are written */
    uint64_t left_count;
    bool same; /* as the header says already */
} sft_edit;

/*
 * Applies changes in order. New keys go behind the others, or where they belong if the keys were
 * sorted. SFT_OK, SFT_NO_MEMORY, SFT_INVALID_ARGUMENT, SFT_INVALID_NAME or SFT_NOT_FOUND.
 */
sft_status sft_edit_apply(sft_edit *edit, const sft_header *header,
                          const sft_metadata_change *changes, uint64_t count,
                          const uint64_t seed[2], const sft_allocator *allocator, sft_error *error);

void sft_edit_free(sft_edit *edit);

/* The beginning of a file, up to its data. */
typedef struct sft_edit_text {
    char *bytes;
    uint64_t size;
    uint64_t first; /* sft_edit_in_place(): the bytes that change are those */
    uint64_t end;   /* from first up to end, counted from the start of the file */
} sft_edit_text;

/*
 * The same header, as long as it was, with the metadata changed, if the bytes that differ lie in
 * one sector. `bytes` is NULL where that cannot be.
 */
sft_status sft_edit_in_place(const sft_edit *edit, const sft_header *header, sft_edit_text *text,
                             sft_error *error);

/*
 * A header with room behind the metadata, for a new file. The data begins at a multiple of
 * alignment and, if that allows it, as far behind a multiple of `block` as it did.
 */
sft_status sft_edit_with_room(const sft_edit *edit, const sft_header *header, uint64_t alignment,
                              uint64_t block, sft_edit_text *text, sft_error *error);

void sft_edit_text_free(sft_edit_text *text, const sft_allocator *allocator);

#endif
