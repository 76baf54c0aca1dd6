/* The container that torch.save wrote before PyTorch 1.6: five pickles, then the storages. */
#ifndef SFT_SRC_CHECKPOINT_LEGACY_H
#define SFT_SRC_CHECKPOINT_LEGACY_H

#include <sft/base.h>

#include "base/arena.h"
#include "checkpoint/region.h"

typedef struct sft_legacy_storage {
    const char *key; /* raw bytes */
    size_t key_length;
    uint64_t elements; /* the int64 before the bytes */
    uint64_t data;     /* where its bytes begin */
    uint64_t size;     /* bytes */
    uint64_t item_size;
} sft_legacy_storage;

typedef struct sft_legacy {
    sft_arena arena;
    bool recognized;     /* the first pickle is the magic number, as a plain integer */
    uint64_t pickles[5]; /* where each begins: magic, protocol, sys_info, object, storage keys */
    uint64_t pickle_count;
    sft_legacy_storage *storages; /* in the order of the file */
    uint64_t storage_count;
    uint64_t end; /* behind the last storage */
} sft_legacy;

/*
 * Finds out how the file is laid out. The storages are little-endian, whatever the machine was that
 * wrote them. Not being recognised is no error. What is recognised and
 * broken gives SFT_MALFORMED_SOURCE; what was found until then stands in *legacy. The element size
 * of a storage is that of the persistent ids that name it. sft_legacy_free() in any case.
 */
sft_status sft_legacy_read(sft_legacy *legacy, const sft_region *region,
                           const sft_pickle_options *options, sft_error *error);
void sft_legacy_free(sft_legacy *legacy);

#endif
