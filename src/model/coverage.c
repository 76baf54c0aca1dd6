#include "model/coverage.h"

#include <string.h>

#include "base/memory.h"

static sft_run *runs_of(sft_coverage *coverage) {
    return coverage->runs != NULL ? coverage->runs : &coverage->first;
}

/* The first run that ends at or behind a byte: the one that a piece from there on may join. */
static uint64_t search(const sft_run *runs, uint64_t count, uint64_t begin) {
    if (count > 0 && runs[count - 1].begin <= begin) {
        return runs[count - 1].end >= begin ? count - 1 : count;
    }
    uint64_t low = 0;
    uint64_t high = count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (runs[middle].end < begin) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Room for one run more, out of the struct itself where that is full. */
static bool make_room(sft_coverage *coverage, const sft_allocator *allocator) {
    if (coverage->count == 0) {
        return true;
    }
    bool inside = coverage->runs == NULL;
    void *items = coverage->runs;
    if (!sft_grow(allocator, &items, &coverage->capacity, coverage->count, sizeof(sft_run))) {
        return false;
    }
    coverage->runs = items;
    if (inside) {
        coverage->runs[0] = coverage->first;
    }
    return true;
}

static void shift(sft_run *to, const sft_run *from, uint64_t count) {
    memmove(to, from, (size_t)(count * sizeof *to));
}

bool sft_coverage_add(sft_coverage *coverage, const sft_allocator *allocator, uint64_t begin,
                      uint64_t end, uint64_t *gained) {
    sft_run *runs = runs_of(coverage);
    uint64_t at = search(runs, coverage->count, begin);
    if (at == coverage->count || end < runs[at].begin) {
        if (!make_room(coverage, allocator)) {
            return false;
        }
        runs = runs_of(coverage);
        shift(&runs[at + 1], &runs[at], coverage->count - at);
        runs[at] = (sft_run){begin, end};
        coverage->count++;
        *gained = end - begin;
        return true;
    }
    /* The piece joins runs at to last - 1 into one. */
    sft_run joined = {begin < runs[at].begin ? begin : runs[at].begin, end};
    uint64_t known = 0;
    uint64_t last = at;
    for (; last < coverage->count && runs[last].begin <= end; last++) {
        known += runs[last].end - runs[last].begin;
        joined.end = runs[last].end > joined.end ? runs[last].end : joined.end;
    }
    runs[at] = joined;
    shift(&runs[at + 1], &runs[last], coverage->count - last);
    coverage->count -= last - at - 1;
    *gained = joined.end - joined.begin - known;
    return true;
}

uint64_t sft_coverage_missing(const sft_coverage *coverage) {
    const sft_run *first = coverage->runs != NULL ? coverage->runs : &coverage->first;
    return coverage->count > 0 && first->begin == 0 ? first->end : 0;
}

void sft_coverage_free(sft_coverage *coverage, const sft_allocator *allocator) {
    sft_release(allocator, coverage->runs, coverage->capacity * sizeof *coverage->runs);
    *coverage = (sft_coverage){.count = 0};
}
