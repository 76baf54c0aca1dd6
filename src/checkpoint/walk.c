#include "checkpoint/walk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/tar.h"
#include "checkpoint/zip.h"

/* What is unpacked of a file: this, and so many times its size. A file that unpacks to more is made
 * to cost time. */
#define UNPACK_FREE (UINT64_C(64) << 20)
#define UNPACK_TIMES 64

/* The part of that which may be spent on checksums, of which nothing depends. */
#define CHECKSUMS_SHARE 4

/* What is packed and no larger is unpacked once, into memory. */
#define SETTLED (UINT64_C(4) << 20)

/* ---- the stack ---- */

sft_frame *sft_walk_push(sft_walk *walk, uint64_t size, const sft_item *item) {
    sft_frame *frame = sft_allocate_zeroed(&walk->allocator, 1, size);
    if (frame != NULL) {
        frame->size = size;
        frame->item = *item;
        sft_sources_init(&frame->sources, &walk->allocator);
        frame->below = walk->top;
        walk->top = frame;
    }
    return frame;
}

static void pop(sft_walk *walk) {
    sft_frame *frame = walk->top;
    walk->top = frame->below;
    if (frame->end != NULL) {
        frame->end(walk, frame);
    }
    sft_sources_free(&frame->sources);
    sft_release(&walk->allocator, frame, frame->size);
}

static sft_status run_stack(sft_walk *walk, sft_error *error) {
    sft_status status = SFT_OK;
    while (walk->top != NULL && status == SFT_OK) {
        sft_frame *frame = walk->top;
        sft_sources_free(&frame->sources);
        sft_sources_init(&frame->sources, &walk->allocator);
        sft_item part;
        bool found = false;
        status = frame->next(walk, frame, &part, &found, error);
        if (status == SFT_OK && found) {
            status = sft_walk_item(walk, &part, error);
        } else if (status == SFT_OK) {
            pop(walk);
        }
        if (status == SFT_OK) {
            /* Whatever those who were asked have made of it. */
            bool limit;
            status = sft_walk_explain(walk, SFT_OK, &limit, error);
        }
    }
    return status;
}

/* ---- findings ---- */

sft_status sft_walk_explain(sft_walk *walk, sft_status status, bool *limit, sft_error *error) {
    *limit = false;
    if (walk->root.status != SFT_OK) {
        *error = walk->root.error;
        return walk->root.status;
    }
    if (status == SFT_NO_MEMORY || walk->out_of_memory) {
        return sft_fail_memory(error);
    }
    *limit = status == SFT_SOURCE_LIMIT || walk->unpack_over;
    return SFT_OK;
}

sft_status sft_walk_find(sft_walk *walk, const sft_item *item, sft_finding finding,
                         sft_error *error) {
    if (finding.byte != SFT_NO_BYTE) {
        finding.byte += item->base;
    }
    if (finding.member == NULL) {
        finding.member = item->region.label;
    }
    return sft_findings_add(walk->findings, item->place, &finding, error);
}

sft_status sft_walk_say(sft_walk *walk, const sft_item *item, sft_severity severity,
                        const char *code, uint64_t byte, const char *detail, sft_error *error) {
    sft_finding finding = {.severity = severity, .code = code, .byte = byte, .detail = detail};
    return sft_walk_find(walk, item, finding, error);
}

sft_status sft_walk_say_broken(sft_walk *walk, const sft_item *item, sft_status status,
                               sft_error *failure, sft_error *error) {
    bool limit;
    sft_status ends = sft_walk_explain(walk, status, &limit, error);
    if (ends != SFT_OK || sft_item_is_data(item)) {
        return ends;
    }
    if (walk->unpack_over) {
        return sft_walk_say(walk, item, SFT_SEVERITY_MALFORMED, "LIMIT", SFT_NO_BYTE,
                            "it unpacks to more than a scan of this file may take", error);
    }
    if (failure->system_error == EBADMSG) {
        return sft_walk_say(walk, item, SFT_SEVERITY_MALFORMED, "BROKEN", SFT_NO_BYTE,
                            "its compressed bytes are damaged", error);
    }
    const char *code = limit                              ? "LIMIT"
                       : status == SFT_UNSUPPORTED_SOURCE ? "UNSUPPORTED"
                                                          : "BROKEN";
    return sft_walk_say(walk, item, SFT_SEVERITY_MALFORMED, code, failure->byte, failure->message,
                        error);
}

void sft_walk_format(sft_walk *walk, const sft_item *item, sft_format format) {
    if (item->expect != SFT_EXPECT_FILE || item->enclosed) {
        return;
    }
    /* A compressed file keeps its format, unless there is nothing in it that is known. */
    if (item->depth == 0) {
        walk->outer = format;
    } else if (walk->is_cut) {
        return;
    }
    walk->format = format == SFT_FORMAT_UNRECOGNIZED ? format : walk->outer;
}

/* ---- an item as all that it could be ---- */

static sft_view view_of(sft_format format) {
    switch (format) {
    case SFT_FORMAT_ZIP:
        return SFT_VIEW_ZIP;
    case SFT_FORMAT_TAR:
    case SFT_FORMAT_TORCH_TAR:
        return SFT_VIEW_TAR;
    case SFT_FORMAT_GZIP:
        return SFT_VIEW_GZIP;
    case SFT_FORMAT_ZLIB:
        return SFT_VIEW_ZLIB;
    case SFT_FORMAT_NPY:
        return SFT_VIEW_NPY;
    case SFT_FORMAT_SAFETENSORS:
        return SFT_VIEW_SAFETENSORS;
    default:
        return SFT_VIEW_PICKLES;
    }
}

/* Two or three bytes tell little: what only looks like these may be any bytes. */
static bool is_weak(sft_format format) {
    return format == SFT_FORMAT_ZLIB || format == SFT_FORMAT_LZMA;
}

static bool is_tar(const sft_region *region) {
    unsigned char first[512];
    return region->size >= sizeof first &&
           sft_region_read(region, 0, first, sizeof first, NULL) == SFT_OK &&
           sft_tar_begins(first, sizeof first);
}

static sft_status add_view(sft_walk *walk, sft_list *list, sft_view view, sft_expect expect,
                           bool enclosed, sft_error *error) {
    sft_part part = {.size = list->frame.item.region.size,
                     .view = view,
                     .expect = expect,
                     .is_enclosed = enclosed};
    return sft_list_add(walk, list, &part, error);
}

static sft_expect expect_of_view(const sft_item *item, sft_format format) {
    bool fits_any = item->expect == SFT_EXPECT_MEMBER && is_weak(format);
    return fits_any ? SFT_EXPECT_DATA : item->expect;
}

/* Archives whose readers look for them from the end of the file, or at any first member. */
static sft_status add_other_views(sft_walk *walk, sft_list *list, sft_format format,
                                  sft_error *error) {
    const sft_item *item = &list->frame.item;
    sft_status status = SFT_OK;
    if (format != SFT_FORMAT_PICKLE && item->expect != SFT_EXPECT_PICKLE) {
        status = add_view(walk, list, SFT_VIEW_PICKLES, SFT_EXPECT_DATA, false, error);
    } else if (format != SFT_FORMAT_PICKLE) {
        status = add_view(walk, list, SFT_VIEW_PICKLES, SFT_EXPECT_PICKLE, false, error);
    }
    bool is_costly = item->made && item->region.size > SETTLED;
    if (item->expect == SFT_EXPECT_DATA || (is_costly && item->expect == SFT_EXPECT_MEMBER)) {
        return status;
    }
    /* Of pickles sft_walk_pickles() knows more. */
    if (status == SFT_OK && format != SFT_FORMAT_ZIP && format != SFT_FORMAT_PICKLE &&
        sft_zip_has_end(&item->region)) {
        status = add_view(walk, list, SFT_VIEW_ZIP, item->expect, false, error);
    }
    if (status == SFT_OK && view_of(format) != SFT_VIEW_TAR && is_tar(&item->region)) {
        status = add_view(walk, list, SFT_VIEW_TAR, item->expect, false, error);
    }
    return status;
}

/*
 * What joblib wrote before 0.10 when it compressed: a length in hexadecimal, maybe a blank, and
 * zlib's bytes. As joblib/numpy_pickle_compat.py reads it, in read_zfile().
 */
static sft_status add_zfile(sft_walk *walk, sft_list *list, sft_error *error) {
    enum { HEADER = 21 };
    const sft_item *item = &list->frame.item;
    char first[HEADER + 1];
    if (item->region.size <= HEADER + 1 || item->expect == SFT_EXPECT_DATA ||
        sft_region_read(&item->region, 0, first, sizeof first, NULL) != SFT_OK ||
        memcmp(first, "ZF0x", 4) != 0) {
        return SFT_OK;
    }
    uint64_t header = first[HEADER] == ' ' ? HEADER + 1 : HEADER;
    sft_part part = {.offset = header,
                     .size = item->region.size - header,
                     .view = SFT_VIEW_ZLIB,
                     .expect = item->expect == SFT_EXPECT_MEMBER ? SFT_EXPECT_DATA : item->expect};
    sft_walk_format(walk, item, SFT_FORMAT_ZLIB);
    return sft_list_add(walk, list, &part, error);
}

static sft_status say_unsupported(sft_walk *walk, const sft_item *item, sft_format format,
                                  sft_error *error) {
    char detail[120];
    snprintf(detail, sizeof detail, "this is %s data, which cannot be looked into here",
             sft_format_name(format));
    return sft_walk_say(walk, item, SFT_SEVERITY_MALFORMED, "UNSUPPORTED", SFT_NO_BYTE, detail,
                        error);
}

static sft_status look_at_format(sft_walk *walk, sft_list *list, sft_format format,
                                 sft_error *error) {
    const sft_item *item = &list->frame.item;
    sft_expect expect = expect_of_view(item, format);
    if (format == SFT_FORMAT_UNRECOGNIZED) {
        return item->expect == SFT_EXPECT_LOADED
                   ? sft_walk_say(walk, item, SFT_SEVERITY_MALFORMED, "UNSUPPORTED", SFT_NO_BYTE,
                                  "a loader gets this, and it is of no known kind", error)
                   : SFT_OK;
    }
    if (!sft_format_supported(format)) {
        return expect == SFT_EXPECT_DATA ? SFT_OK : say_unsupported(walk, item, format, error);
    }
    return add_view(walk, list, view_of(format), expect, false, error);
}

/* At the limit nothing is opened any more; what is no archive and no pickle needs no opening. */
static sft_status refuse_nesting(sft_walk *walk, const sft_item *item, sft_format format,
                                 sft_error *error) {
    bool is_expected = item->expect != SFT_EXPECT_DATA && item->expect != SFT_EXPECT_MEMBER;
    if (!is_expected && (format == SFT_FORMAT_UNRECOGNIZED || format == SFT_FORMAT_PICKLE ||
                         is_weak(format) || item->expect == SFT_EXPECT_DATA)) {
        return SFT_OK;
    }
    return sft_walk_say(walk, item, SFT_SEVERITY_MALFORMED, "LIMIT", SFT_NO_BYTE,
                        "archives and pickles lie deeper in each other than the limit allows",
                        error);
}

static sft_status walk_file(sft_walk *walk, const sft_item *item, sft_error *error) {
    sft_list *list = sft_list_push(walk, item);
    if (list == NULL) {
        return sft_fail_memory(error);
    }
    if (item->region.size == 0) {
        return item->expect < SFT_EXPECT_PICKLE
                   ? SFT_OK
                   : sft_walk_say(walk, item, SFT_SEVERITY_MALFORMED, "TRUNCATED", SFT_NO_BYTE,
                                  "there are no bytes in it", error);
    }
    sft_status status = sft_walk_settle(walk, &list->arena, SETTLED, &list->frame.item, error);
    sft_format format = SFT_FORMAT_UNRECOGNIZED;
    if (status == SFT_OK) {
        sft_error failure;
        status = sft_detect(&list->frame.item.region, &format, &failure);
        if (status != SFT_OK) {
            return sft_walk_say_broken(walk, item, status, &failure, error);
        }
        sft_walk_format(walk, item, format);
    }
    if (status == SFT_OK && item->depth >= walk->limits.nesting) {
        status = refuse_nesting(walk, item, format, error);
        return status == SFT_OK
                   ? add_view(walk, list, SFT_VIEW_PICKLES, SFT_EXPECT_DATA, false, error)
                   : status;
    }
    if (status == SFT_OK && format == SFT_FORMAT_UNRECOGNIZED) {
        status = add_zfile(walk, list, error);
    }
    if (status == SFT_OK) {
        status = look_at_format(walk, list, format, error);
    }
    return status == SFT_OK ? add_other_views(walk, list, format, error) : status;
}

sft_status sft_walk_item(sft_walk *walk, const sft_item *item, sft_error *error) {
    switch (item->view) {
    case SFT_VIEW_PICKLES:
        return sft_walk_pickles(walk, item, error);
    case SFT_VIEW_ZIP:
        return sft_walk_zip(walk, item, error);
    case SFT_VIEW_TAR:
        return sft_walk_tar(walk, item, error);
    case SFT_VIEW_GZIP:
    case SFT_VIEW_ZLIB:
    case SFT_VIEW_DEFLATE:
        return sft_walk_packed(walk, item, error);
    case SFT_VIEW_NPY:
        return sft_walk_npy(walk, item, error);
    case SFT_VIEW_SAFETENSORS:
        return sft_walk_safetensors(walk, item, error);
    case SFT_VIEW_TAR_STORAGES:
    case SFT_VIEW_TAR_TENSORS:
        return sft_walk_pickles(walk, item, error);
    default:
        return walk_file(walk, item, error);
    }
}

/* ---- the whole ---- */

static uint64_t unpack_limit(const sft_walk *walk, uint64_t size) {
    uint64_t most;
    if (!sft_multiply(size, UNPACK_TIMES, &most) || !sft_add(most, UNPACK_FREE, &most)) {
        most = UINT64_MAX / 2;
    }
    /* Who raises the limit for one member means it for the whole. */
    return walk->limits.inflated != SFT_SCAN_INFLATED && walk->limits.inflated > most
               ? walk->limits.inflated
               : most;
}

sft_status sft_walk_run(sft_walk *walk, sft_error *error) {
    sft_item item = {.region = sft_root_region(&walk->root),
                     .view = SFT_VIEW_FILE,
                     .expect = SFT_EXPECT_FILE,
                     .place = &walk->findings->end};
    walk->format = SFT_FORMAT_UNRECOGNIZED;
    walk->unpack = unpack_limit(walk, item.region.size);
    walk->checksums = walk->unpack / CHECKSUMS_SHARE;
    sft_error own = {.status = SFT_OK};
    error = error != NULL ? error : &own;
    sft_status status = sft_walk_item(walk, &item, error);
    if (status == SFT_OK) {
        status = run_stack(walk, error);
    }
    if (status == SFT_OK && walk->out_of_memory) {
        status = sft_fail_memory(error);
    }
    while (walk->top != NULL) {
        pop(walk);
    }
    if (status == SFT_OK && walk->format == SFT_FORMAT_UNRECOGNIZED && item.region.size > 0) {
        status = sft_walk_say(walk, &item, SFT_SEVERITY_MALFORMED, "UNSUPPORTED", SFT_NO_BYTE,
                              "it is of no known kind, and does not begin as a pickle", error);
    }
    if (status == SFT_OK) {
        sft_root_end(&walk->root);
        status = walk->root.status;
        if (status != SFT_OK) {
            *error = walk->root.error;
        }
    }
    return status;
}
