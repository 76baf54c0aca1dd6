/*
 * A hash index over an array of named things: finds by name in constant time and
 * tells duplicates. Names come from strangers, so the hash is keyed (SipHash-1-3)
 * with a seed no file can know: colliding names cannot be prepared.
 */
#ifndef SFT_SRC_BASE_NAMES_H
#define SFT_SRC_BASE_NAMES_H

#include <sft/base.h>

/* How the things that are indexed must begin: sft_tensor and sft_metadata_entry do. */
typedef struct sft_named {
    const char *name;
    size_t length;
} sft_named;

typedef struct sft_names {
    sft_allocator allocator;
    uint64_t seed[2];
    uint64_t *slots; /* upper half: hash; lower half: number + 1, or 0 for a free slot */
    uint64_t capacity;
    uint64_t count;
} sft_names;

/* The most things an index can hold. */
#define SFT_NAMES_MAX UINT32_C(0xfffffffe)

uint64_t sft_siphash(const uint64_t seed[2], const void *bytes, size_t size);

void sft_names_init(sft_names *names, const sft_allocator *allocator, const uint64_t seed[2]);

/* Makes room for `count` things at once. False where there is no memory. */
bool sft_names_reserve(sft_names *names, uint64_t count);

typedef enum sft_names_result {
    SFT_NAMES_ADDED,
    SFT_NAMES_DUPLICATE,
    SFT_NAMES_NO_MEMORY
} sft_names_result;

/*
 * Adds number `index` of the array `items`, whose elements are `stride` bytes apart and begin as
 * sft_named does. Adds nothing if one of that name is in.
 */
sft_names_result sft_names_add(sft_names *names, const void *items, size_t stride, uint64_t index);

/* The number of the thing of that name, or UINT64_MAX. */
uint64_t sft_names_find(const sft_names *names, const void *items, size_t stride, const char *name,
                        size_t length);

/* Tells the index that the array was reordered: what was number i is now number places[i]. */
void sft_names_move(sft_names *names, const uint32_t *places);

/* Forgets all names. */
void sft_names_clear(sft_names *names);

void sft_names_free(sft_names *names);

#endif
