#include "checkpoint/split.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/sort.h"

/* ---- by source ---- */

static bool source_after(const void *things, uint32_t a, uint32_t b) {
    const sft_plan_tensor *tensors = things;
    return tensors[a].file > tensors[b].file;
}

sft_status sft_split_by_source(sft_plan *plan, uint64_t sources, sft_split *split,
                               sft_error *error) {
    *split = (sft_split){.allocator = plan->allocator, .files = sources, .count = plan->count};
    for (uint64_t i = 0; i < plan->count; i++) {
        plan->tensors[i].file = plan->tensors[i].source;
    }
    split->order = sft_sort(plan->tensors, (uint32_t)plan->count, source_after, &plan->allocator);
    return split->order != NULL ? SFT_OK : sft_fail_memory(error);
}

void sft_split_free(sft_split *split) {
    sft_release(&split->allocator, split->order, split->count * sizeof *split->order);
    *split = (sft_split){.allocator = split->allocator};
}

/* ---- by size ---- */

#define NONE UINT32_MAX

typedef struct splitter {
    sft_plan *plan;
    uint64_t most;
    uint64_t *bases;   /* where each source's storages begin in `first` */
    uint32_t *first;   /* the first tensor of each storage, or NONE */
    uint32_t *leaders; /* of each tensor: the first one of its storage, be it itself */
    uint32_t *ranks;   /* of each shard, in the order in which they were begun: its file */
    uint64_t storages;
    uint64_t sources;
    uint64_t shards; /* begun */
    uint64_t files;  /* ended, and numbered */
} splitter;

/* Python sees no address of an empty storage: all of them are one to it. */
static uint64_t storage_of(const splitter *s, const sft_plan_tensor *planned, uint64_t *bytes) {
    *bytes = planned->found->storages[planned->tensor->storage].region.size;
    return *bytes == 0 ? s->storages - 1 : s->bases[planned->source] + planned->tensor->storage;
}

/* A view that is not contiguous is copied before it is saved, into a storage of its own. */
static uint64_t find_leader(splitter *s, uint32_t number) {
    const sft_plan_tensor *planned = &s->plan->tensors[number];
    uint64_t bytes = planned->size;
    s->leaders[number] = number;
    if (planned->tensor->dense) {
        uint32_t *first = &s->first[storage_of(s, planned, &bytes)];
        *first = *first == NONE ? number : *first;
        s->leaders[number] = *first;
    }
    return bytes;
}

static void end_shard(splitter *s, uint64_t shard) {
    s->ranks[shard] = (uint32_t)s->files++;
}

static void assign(splitter *s) {
    uint64_t current = UINT64_MAX; /* the shard that is being filled, if there is one */
    uint64_t filled = 0;
    for (uint32_t i = 0; i < s->plan->count; i++) {
        sft_plan_tensor *planned = &s->plan->tensors[i];
        uint64_t bytes = find_leader(s, i);
        if (s->leaders[i] != i) {
            continue;
        }
        if (bytes > s->most) {
            planned->file = s->shards++;
            end_shard(s, planned->file);
            continue;
        }
        if (current != UINT64_MAX && bytes > s->most - filled) {
            end_shard(s, current);
            current = UINT64_MAX;
        }
        if (current == UINT64_MAX) {
            current = s->shards++;
            filled = 0;
        }
        planned->file = current;
        filled += bytes;
    }
    if (current != UINT64_MAX) {
        end_shard(s, current);
    }
    for (uint64_t i = 0; i < s->plan->count; i++) {
        sft_plan_tensor *planned = &s->plan->tensors[i];
        planned->file =
            s->leaders[i] == i ? s->ranks[planned->file] : s->plan->tensors[s->leaders[i]].file;
    }
}

/* Within a file those that came along with another stand last, in the others' order. */
static bool index_after(const void *things, uint32_t a, uint32_t b) {
    const splitter *s = things;
    const sft_plan_tensor *tensors = s->plan->tensors;
    if (tensors[a].file != tensors[b].file) {
        return tensors[a].file > tensors[b].file;
    }
    bool late_a = s->leaders[a] != a;
    bool late_b = s->leaders[b] != b;
    if (late_a != late_b) {
        return late_a;
    }
    return s->leaders[a] != s->leaders[b] ? s->leaders[a] > s->leaders[b] : a > b;
}

static bool prepare(splitter *s) {
    const sft_plan *plan = s->plan;
    const sft_allocator *allocator = &plan->allocator;
    for (uint64_t i = 0; i < plan->count; i++) {
        uint64_t source = plan->tensors[i].source;
        s->sources = source >= s->sources ? source + 1 : s->sources;
    }
    s->bases = sft_allocate_zeroed(allocator, s->sources, sizeof *s->bases);
    if (s->bases == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < plan->count; i++) {
        const sft_plan_tensor *planned = &plan->tensors[i];
        s->bases[planned->source] = planned->found->storage_count;
    }
    for (uint64_t i = 0; i < s->sources; i++) {
        uint64_t count = s->bases[i];
        s->bases[i] = s->storages;
        s->storages += count;
    }
    s->storages++; /* one for all that are empty */
    s->first = sft_allocate_zeroed(allocator, s->storages, sizeof *s->first);
    s->leaders = sft_allocate_zeroed(allocator, plan->count, sizeof *s->leaders);
    s->ranks = sft_allocate_zeroed(allocator, plan->count, sizeof *s->ranks);
    if (s->first == NULL || s->leaders == NULL || s->ranks == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < s->storages; i++) {
        s->first[i] = NONE;
    }
    return true;
}

sft_status sft_split_by_size(sft_plan *plan, uint64_t most, sft_split *split, sft_error *error) {
    const sft_allocator *allocator = &plan->allocator;
    splitter s = {.plan = plan, .most = most};
    *split = (sft_split){.allocator = *allocator, .count = plan->count};
    if (prepare(&s)) {
        assign(&s);
        split->files = s.files > 0 ? s.files : 1;
        split->order = sft_sort(&s, (uint32_t)plan->count, index_after, allocator);
    }
    sft_release(allocator, s.bases, s.sources * sizeof *s.bases);
    sft_release(allocator, s.first, s.storages * sizeof *s.first);
    sft_release(allocator, s.leaders, plan->count * sizeof *s.leaders);
    sft_release(allocator, s.ranks, plan->count * sizeof *s.ranks);
    return split->order != NULL ? SFT_OK : sft_fail_memory(error);
}
