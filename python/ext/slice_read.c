#include "slice_read.h"

#include <stdlib.h>

/* A part is cut into reads of this many bytes, and never more than that many. */
enum { PIECE_BYTES = 1 << 20, MOST_PIECES = 64 };

/* The outermost dimension of the part with more than one element: pieces of it lie one behind the
 * other in the result. */
typedef struct cut {
    uint32_t dimension; /* of the tensor */
    uint64_t length;    /* how many are taken of it */
    uint64_t pieces;
} cut;

static cut find_cut(const sft_tensor *tensor, const selection *part) {
    cut found = {0, 0, 1};
    uint64_t wanted = part->bytes / PIECE_BYTES;
    uint32_t kept = 0;
    for (; found.dimension < part->count; found.dimension++) {
        if (part->ranges[found.dimension].kind == SFT_RANGE) {
            found.length = part->shape[kept++];
            if (found.length != 1) {
                break;
            }
        }
    }
    /* Where all that is taken lies together, or an element is no whole byte, one read does. */
    if (found.dimension < part->count && sft_dtype_bits(tensor->dtype) >= 8) {
        wanted = wanted < MOST_PIECES ? wanted : MOST_PIECES;
        wanted = wanted < found.length ? wanted : found.length;
        found.pieces = wanted > 1 ? wanted : 1;
    }
    return found;
}

/* Fills in `cut->pieces` requests, each with room for `part->count` ranges at `ranges`. */
static void plan(const cut *where, placed_tensor place, const selection *part, void *to,
                 sft_read_request *requests, sft_range *ranges) {
    uint64_t row = part->bytes / where->length;
    uint64_t done = 0;
    for (uint64_t i = 0; i < where->pieces; i++) {
        uint64_t end = where->length * (i + 1) / where->pieces;
        for (uint32_t d = 0; d < part->count; d++) {
            ranges[d] = part->ranges[d];
        }
        sft_range *range = &ranges[where->dimension];
        int64_t first = range->start;
        range->start = first + (int64_t)done * range->step;
        range->stop = first + (int64_t)(end - 1) * range->step + 1;
        requests[i] = (sft_read_request){.file = place.file,
                                         .tensor = place.tensor,
                                         .ranges = ranges,
                                         .range_count = part->count,
                                         .to = (char *)to + done * row,
                                         .size = (end - done) * row};
        done = end;
        ranges += part->count;
    }
}

/* Knows nothing of Python: runs without the interpreter. */
static sft_status read_pieces(const cut *where, placed_tensor place, const selection *part,
                              void *to, sft_error *error) {
    size_t each = sizeof(sft_read_request) + part->count * sizeof(sft_range);
    sft_read_request *requests = where->pieces > 1 ? malloc(where->pieces * each) : NULL;
    if (requests == NULL) {
        return sft_read_slice(place.file, place.tensor, part->ranges, part->count, to, part->bytes,
                              error);
    }
    plan(where, place, part, to, requests, (sft_range *)(requests + where->pieces));
    sft_status status = sft_read_many(requests, where->pieces, NULL, error);
    free(requests);
    return status;
}

int slice_read(module_state *state, handle *file, placed_tensor place, const selection *part,
               void *to) {
    sft_error error;
    sft_status status;
    if (file->with_python) {
        status = sft_read_slice(place.file, place.tensor, part->ranges, part->count, to,
                                part->bytes, &error);
    } else {
        cut where = find_cut(place.tensor, part);
        Py_BEGIN_ALLOW_THREADS;
        status = read_pieces(&where, place, part, to, &error);
        Py_END_ALLOW_THREADS;
    }
    if (status != SFT_OK) {
        handle_raise(state, file, &error);
        return -1;
    }
    return 0;
}
