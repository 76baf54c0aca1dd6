/* The persistent ids under which torch.save refers to storages. */
#ifndef SFT_SRC_CHECKPOINT_TORCH_ID_H
#define SFT_SRC_CHECKPOINT_TORCH_ID_H

#include <sft/base.h>

#include "pickle/graph.h"
#include "pickle/policy.h"

typedef struct sft_torch_id {
    const char *key; /* these texts live as long as the graph */
    size_t key_length;
    uint8_t dtype;      /* sft_dtype or SFT_NO_DTYPE; of an untyped storage U8, as in torch */
    uint32_t item_size; /* bytes */
    uint64_t elements;
    const char *view_key; /* of a part of the storage, as PyTorch before 0.4 wrote them; or NULL */
    size_t view_key_length;
    uint64_t view_offset;   /* in elements; 0 where there is no view */
    uint64_t view_elements; /* as `elements` where there is no view */
} sft_torch_id;

/*
 * What a class of storages holds. False where ref is no such class, or one whose elements have no
 * known size.
 */
bool sft_torch_storage_class(const sft_graph *graph, sft_ref ref, uint8_t *dtype,
                             uint32_t *item_size);

/*
 * Reads the id of a PERSISTENT: ('storage', class, key, location, elements), with a view or None
 * behind it in the legacy container. False for all else, such as ('module', …).
 */
bool sft_torch_id_of(const sft_graph *graph, sft_ref persistent, bool legacy, sft_torch_id *id);

/* The class of a ('module', class, file, source) of the legacy container; else SFT_NO_REF. */
sft_ref sft_torch_module_of(const sft_graph *graph, sft_ref persistent);

#endif
