/* Reading many tensors at once: cut into pieces, in the files' order, by several threads. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/options.h"
#include "base/sort.h"
#include "format/header.h"
#include "format/slice.h"
#include "io/os.h"
#include "io/pool.h"
#include "io/source.h"
#include "model/file.h"

/* Small enough to share the work evenly, large enough that a call's own cost is nothing. */
#define PIECE (UINT64_C(8) * 1024 * 1024)
/* Below this much in all, starting a thread costs more than it saves. */
#define WORTH_A_THREAD (UINT64_C(1) * 1024 * 1024)
#define MOST_THREADS 8U
/* What a disk has to do at once, in pieces, beside those that are being read. Small pieces follow
 * one another, and the system reads on by itself. */
#define PIECES_AHEAD 3U
#define WORTH_ASKING (UINT64_C(256) * 1024)

/* A stretch of a file that goes to one place, or a slice of many small stretches. */
typedef struct piece {
    const sft_read_request *request;
    const sft_read_request *last; /* where neighbours were joined; else the same */
    uint64_t offset;              /* in the file */
    uint64_t size;
    uint8_t *to;
    bool slice;
} piece;

typedef struct plan {
    sft_allocator allocator;
    piece *pieces;
    uint64_t count;
    uint64_t capacity;
    uint64_t bytes;
    uint32_t *order;    /* of the pieces in their files */
    sft_os_mutex mutex; /* over the two below */
    sft_status status;
    sft_error *error;
} plan;

/* A neighbour of the last piece, in the file and in memory, becomes part of it. */
static bool extend_last(plan *p, const piece *next) {
    piece *last = p->count > 0 ? &p->pieces[p->count - 1] : NULL;
    if (last == NULL || last->slice || next->slice || last->request->file != next->request->file ||
        last->offset + last->size != next->offset || last->to + last->size != next->to ||
        last->size + next->size > PIECE) {
        return false;
    }
    last->size += next->size;
    last->last = next->request;
    return true;
}

static sft_status add_piece(plan *p, const piece *next, sft_error *error) {
    if (extend_last(p, next)) {
        return SFT_OK;
    }
    void *pieces = p->pieces;
    bool grown = sft_grow(&p->allocator, &pieces, &p->capacity, p->count, sizeof *p->pieces);
    p->pieces = pieces;
    if (!grown || p->count == UINT32_MAX) {
        return sft_fail_memory(error);
    }
    p->pieces[p->count++] = *next;
    return SFT_OK;
}

static sft_status add_request(plan *p, const sft_read_request *request, sft_error *error) {
    sft_slice_plan slice;
    sft_status status = sft_file_plan(request, &slice, error);
    if (status != SFT_OK || slice.bytes == 0) {
        return status;
    }
    p->bytes += slice.bytes;
    piece next = {.request = request,
                  .last = request,
                  .offset = sft_header_data_start(request->file->header) + request->tensor->begin +
                            slice.start,
                  .size = slice.bytes,
                  .to = request->to,
                  .slice = slice.loop_count > 0};
    if (next.slice) {
        return add_piece(p, &next, error);
    }
    for (uint64_t left = slice.bytes; left > 0 && status == SFT_OK; left -= next.size) {
        next.size = sft_min(left, PIECE);
        status = add_piece(p, &next, error);
        next.offset += next.size;
        next.to += next.size;
    }
    return status;
}

/* The first failure is the caller's; the others follow from the same trouble. */
static void report(plan *p, sft_status status, const sft_error *failure) {
    sft_os_lock(&p->mutex);
    if (p->status == SFT_OK) {
        p->status = status;
        if (p->error != NULL) {
            *p->error = *failure;
        }
    }
    sft_os_unlock(&p->mutex);
}

/* The tensor that a byte of the file belongs to, which one of the piece's requests is for. */
static const sft_tensor *to_blame(const piece *what, uint64_t byte) {
    const sft_read_request *request = what->request;
    uint64_t place = byte - sft_header_data_start(request->file->header);
    while (request != what->last && (request->size == 0 || place >= request->tensor->end)) {
        request++;
    }
    return request->tensor;
}

/* A piece that the disk has to bring is asked for while the ones before it are read. */
static void expect_piece(const plan *p, uint64_t index) {
    if (index < p->count) {
        const piece *next = &p->pieces[p->order[index]];
        const sft_source *source = &next->request->file->source;
        if (!next->slice && next->size >= WORTH_ASKING && !sft_source_ready(source, next->offset)) {
            sft_source_expect(source, next->offset, next->size);
        }
    }
}

static bool read_piece(void *context, uint64_t index) {
    plan *p = context;
    for (uint64_t i = index == 0 ? 0 : PIECES_AHEAD; i <= PIECES_AHEAD; i++) {
        expect_piece(p, index + i);
    }
    const piece *what = &p->pieces[p->order[index]];
    const sft_read_request *request = what->request;
    sft_error failure;
    sft_status status;
    if (what->slice) {
        status = sft_read_slice(request->file, request->tensor, request->ranges,
                                request->range_count, request->to, request->size, &failure);
    } else {
        status =
            sft_source_read(&request->file->source, what->offset, what->to, what->size, &failure);
        if (status != SFT_OK) {
            sft_file_blame(request->file, to_blame(what, failure.byte), status, &failure);
        }
    }
    if (status != SFT_OK) {
        report(p, status, &failure);
    }
    return status == SFT_OK;
}

static bool comes_after(const void *pieces, uint32_t a, uint32_t b) {
    const piece *first = (const piece *)pieces + a;
    const piece *second = (const piece *)pieces + b;
    if (first->request->file != second->request->file) {
        return (uintptr_t)first->request->file > (uintptr_t)second->request->file;
    }
    return first->offset > second->offset;
}

static uint32_t threads_for(const plan *p, uint32_t wanted) {
    if (wanted > 0) {
        return wanted;
    }
    if (p->bytes < WORTH_A_THREAD) {
        return 1;
    }
    return (uint32_t)sft_min(sft_os_processors(), MOST_THREADS);
}

static sft_status run_plan(plan *p, uint32_t threads, sft_error *error) {
    int failure = sft_os_mutex_init(&p->mutex);
    if (failure != 0) {
        return sft_fail_system(error, SFT_NO_MEMORY, failure, "cannot make a lock");
    }
    p->order = sft_sort(p->pieces, (uint32_t)p->count, comes_after, &p->allocator);
    if (p->order != NULL) {
        sft_pool_run(threads_for(p, threads), p->count, read_piece, p);
        sft_release(&p->allocator, p->order, p->count * sizeof *p->order);
    } else {
        p->status = sft_fail_memory(error);
    }
    sft_os_mutex_free(&p->mutex);
    return p->status;
}

sft_status sft_read_many(const sft_read_request *requests, uint64_t count,
                         const sft_read_options *given, sft_error *error) {
    sft_read_options options = SFT_READ_OPTIONS;
    sft_status status = sft_options_check(given, "SFT_READ_OPTIONS", error);
    if (status != SFT_OK) {
        return status;
    }
    sft_options_copy(&options, sizeof options, given);
    if ((requests == NULL && count > 0) || !sft_allocator_usable(options.allocator)) {
        return sft_fail(error, SFT_INVALID_ARGUMENT, SFT_NO_BYTE,
                        "requests and a whole allocator are needed");
    }
    plan p = {.allocator = sft_allocator_of(options.allocator), .error = error};
    for (uint64_t i = 0; i < count && status == SFT_OK; i++) {
        status = add_request(&p, &requests[i], error);
    }
    if (status == SFT_OK && p.count > 0) {
        status = run_plan(&p, options.threads, error);
    }
    sft_release(&p.allocator, p.pieces, p.capacity * sizeof *p.pieces);
    return status;
}
