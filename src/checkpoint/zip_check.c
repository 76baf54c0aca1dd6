/* What a file in an archive really holds: its size and checksum. */
#include <zlib.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/inflate.h"
#include "checkpoint/zip_parts.h"
#include "checkpoint/zip_sum.h"

#define PIECE (UINT32_C(1) << 18)

typedef struct checker {
    const sft_allocator *allocator;
    uint64_t data; /* where the entry's bytes begin in the archive */
    sft_region packed;
    const sft_zip_check_options *options;
    uint64_t limit;
    sft_zip_content *content;
    unsigned char *piece;
} checker;

static sft_status tell_progress(const checker *from, uint64_t done, sft_error *error) {
    if (from->options->progress != NULL && !from->options->progress(from->options->context, done)) {
        return sft_fail(error, SFT_CANCELLED, SFT_NO_BYTE, "cancelled");
    }
    return SFT_OK;
}

static void add(const checker *from, size_t size) {
    from->content->crc = (uint32_t)crc32(from->content->crc, from->piece, (unsigned)size);
    from->content->size += size;
}

/* As much as several threads can do; the rest is left to one. */
static sft_status sum_directly(const checker *from, uint64_t size, sft_error *error) {
    const sft_zip_check_options *options = from->options;
    sft_zip_content *content = from->content;
    while (size - content->size >= SFT_ZIP_SUM_LEAST) {
        sft_region part;
        uint64_t bytes = sft_min(SFT_ZIP_SUM_BYTES, size - content->size);
        if (!sft_region_part(options->direct, from->data + content->size, bytes, &part) ||
            !sft_zip_sum(&part, from->allocator, &content->crc)) {
            return SFT_OK;
        }
        content->size += bytes;
        if (options->passed != NULL && !options->passed(options->context, bytes)) {
            return sft_fail(error, SFT_CANCELLED, SFT_NO_BYTE, "cancelled");
        }
    }
    return SFT_OK;
}

static sft_status check_stored(const checker *from, sft_error *error) {
    sft_zip_content *content = from->content;
    uint64_t size = sft_min(from->packed.size, from->limit);
    sft_status status = SFT_OK;
    if (from->options->direct != NULL) {
        status = sum_directly(from, size, error);
    }
    while (status == SFT_OK && content->size < size) {
        size_t piece = (size_t)sft_min(PIECE, size - content->size);
        status = sft_region_read(&from->packed, content->size, from->piece, piece, error);
        if (status == SFT_OK) {
            add(from, piece);
            status = tell_progress(from, content->size, error);
        }
    }
    content->limited = size < from->packed.size;
    content->whole = !content->limited;
    return status;
}

static sft_status check_packed(const checker *from, sft_inflater *of, sft_error *error) {
    sft_zip_content *content = from->content;
    size_t made = PIECE;
    while (made == PIECE) {
        sft_status status = sft_inflater_make(of, from->piece, PIECE, &made, error);
        content->limited = made > from->limit - content->size;
        add(from, (size_t)sft_min(made, from->limit - content->size));
        if (status == SFT_MALFORMED_SOURCE) {
            return SFT_OK;
        }
        if (status == SFT_OK) {
            status = tell_progress(from, sft_inflater_used(of), error);
        }
        if (status != SFT_OK || content->limited) {
            return status;
        }
    }
    content->whole = sft_inflater_used(of) == from->packed.size;
    return SFT_OK;
}

static sft_status check(const checker *from, bool stored, const sft_allocator *allocator,
                        sft_error *error) {
    if (stored) {
        return check_stored(from, error);
    }
    sft_inflater *of = sft_inflater_begin(&from->packed, SFT_PACKED_DEFLATE, allocator);
    if (of == NULL) {
        return sft_fail_memory(error);
    }
    sft_status status = check_packed(from, of, error);
    sft_inflater_end(of);
    return status;
}

sft_status sft_zip_check(const sft_zip *zip, const sft_zip_entry *entry,
                         const sft_zip_check_options *options, sft_zip_content *content,
                         sft_error *error) {
    const sft_allocator *allocator = &zip->arena.allocator;
    *content = (sft_zip_content){.size = 0, .crc = (uint32_t)crc32(0, NULL, 0)};
    checker from = {
        .allocator = allocator, .data = entry->data, .options = options, .content = content};
    from.limit = options->limit != 0 ? options->limit : entry->size;
    if (!entry->known || !sft_region_part(&zip->region, entry->data, entry->packed, &from.packed)) {
        return SFT_OK;
    }
    from.piece = sft_allocate(allocator, PIECE);
    if (from.piece == NULL) {
        return sft_fail_memory(error);
    }
    sft_status status = check(&from, entry->method == SFT_ZIP_STORED, allocator, error);
    sft_release(allocator, from.piece, PIECE);
    return status;
}
