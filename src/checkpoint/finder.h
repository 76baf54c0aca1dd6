/* What the parts of sft_find_tensors() share: one search, and the pickles it goes through. */
#ifndef SFT_SRC_CHECKPOINT_FINDER_H
#define SFT_SRC_CHECKPOINT_FINDER_H

#include "base/names.h"
#include "checkpoint/found.h"
#include "checkpoint/legacy.h"
#include "checkpoint/torch_id.h"
#include "checkpoint/values.h"
#include "pickle/machine.h"

typedef struct sft_finder {
    sft_found *found;
    sft_allocator allocator;
    const sft_find_options *options;
    uint64_t memory;    /* bytes that names, tensors and storages may take, and each pickle */
    uint64_t file_size; /* what expanded views are measured by */
    uint64_t expanded;  /* bytes that views need beyond those they are views of */
    uint32_t nesting;   /* how deep files may lie inside of files */
    sft_error *error;
} sft_finder;

/* SFT_SOURCE_LIMIT where the search takes more than it may. */
sft_status sft_finder_check_memory(const sft_finder *finder);

/* A storage of the result that is this region; *number receives which. SFT_NO_MEMORY. */
sft_status sft_finder_storage(sft_finder *finder, const sft_region *region, bool big_endian,
                              uint64_t *number);

/* A copy of text in the result's arena, ended by NUL; NULL where there is no memory. */
char *sft_finder_text(sft_finder *finder, const char *text, size_t length);

/* ---- storages as a pickle refers to them ---- */

/* How a pickle's persistent ids are to be read. */
typedef enum sft_id_kind {
    SFT_IDS_NONE,   /* they mean nothing here */
    SFT_IDS_ZIP,    /* members data/KEY of the archive */
    SFT_IDS_LEGACY, /* storages behind the pickles */
    SFT_IDS_TAR     /* tensors and storages of the file "storages" */
} sft_id_kind;

/* Begins as sft_named does. */
typedef struct sft_store {
    const char *key; /* "" where it has none */
    size_t key_length;
    bool resolved;      /* `refused` and what is below are known */
    bool contradicted;  /* the ids that name it disagree about it */
    sft_status refused; /* SFT_OK, or why it cannot be had */
    const char *why;    /* a sentence without a full stop */
    uint8_t dtype;      /* sft_dtype or SFT_NO_DTYPE */
    uint32_t item_size;
    uint64_t elements;
    uint64_t storage; /* its number in the result */
    uint64_t offset;  /* of its first byte in that: more than 0 for a part of another */
    uint64_t size;    /* bytes */
    const char *root; /* the key of which it is a part, or NULL */
    size_t root_length;
    uint64_t root_elements;
    uint64_t first; /* number of its first element in the root */
    bool array;     /* the bytes of arrays of NumPy's: `storage` and `swapped` alone count */
    bool has_swapped;
    uint64_t swapped; /* the same bytes as a storage in the other order */
} sft_store;

/* A tensor of a tar archive, which its pickle names by a number. Begins as sft_named does. */
typedef struct sft_tar_tensor {
    const char *key; /* the number as text */
    size_t key_length;
    uint64_t store;
    sft_shape_result result;
    uint32_t rank;
    const uint64_t *shape;
    const uint64_t *strides;
    uint64_t offset;
} sft_tar_tensor;

/* One pickle, and what its values refer to outside of it. */
typedef struct sft_scope {
    sft_finder *finder;
    sft_region region; /* that the pickle's positions count in */
    sft_pickle pickle;
    bool has_pickle;
    sft_id_kind ids;
    bool torchscript;
    bool big_endian;             /* its storages */
    uint32_t depth;              /* files inside of files that lead here */
    struct sft_scope *outermost; /* of the first of these files; NULL: this one */
    uint64_t opened; /* bytes of files inside of the outermost, as often as they were opened */
    sft_legacy legacy;
    bool has_legacy;
    bool joblib; /* arrays of joblib's were met */
    sft_store *stores;
    uint64_t store_count;
    uint64_t store_capacity;
    sft_names keys;     /* of the stores that have one: those up to keyed_count */
    uint32_t *store_of; /* by value: number of its store + 1; NULL until needed */
    sft_tar_tensor *tar;
    uint64_t tar_count;
    uint64_t tar_capacity;
    sft_names placed;       /* of legacy.storages, or of tar */
    struct sft_scope *next; /* for those who keep several */
} sft_scope;

void sft_scope_init(sft_scope *scope, sft_finder *finder, const sft_region *region,
                    sft_id_kind ids);
void sft_scope_free(sft_scope *scope);

/*
 * Reads the pickle at `start`, which must reach STOP, and takes stock of its persistent ids.
 * SFT_MALFORMED_SOURCE, SFT_SOURCE_LIMIT…
 */
sft_status sft_scope_read(sft_scope *scope, uint64_t start);

/* Makes sure that there is `store_of`. SFT_NO_MEMORY. */
sft_status sft_scope_make_store_of(sft_scope *scope);

/* Adds a store; *number receives which. SFT_NO_MEMORY. */
sft_status sft_scope_add_store(sft_scope *scope, const sft_store *store, uint64_t *number);

/* The store of a key, UINT64_MAX where there is none. */
uint64_t sft_scope_find_store(sft_scope *scope, const char *key, size_t length);

/*
 * The storage that a value stands for: a persistent id, or a file of torch's in a text. *store
 * receives NULL where it stands for none. Whether it can be had stands in it.
 */
sft_status sft_scope_store(sft_scope *scope, sft_ref ref, const sft_store **store);

/* Finds out where the bytes of a store with a key lie, by the container. */
sft_status sft_zip_resolve(sft_scope *scope, sft_store *store);
sft_status sft_legacy_resolve(sft_scope *scope, sft_store *store);

/*
 * The text of which a value is the bytes, as NumPy takes them: SFT_NO_REF where there is none.
 * *latin1 tells that each of its characters stands for a byte.
 */
sft_ref sft_scope_text(const sft_scope *scope, sft_ref ref, bool *latin1);

/* Its bytes, be they in the pickle or made of it. */
sft_status sft_scope_bytes(sft_scope *scope, sft_ref text, bool latin1, sft_region *bytes);

/*
 * Opens the text that torch.storage._load_from_bytes is called with: *inner is the pickle of the
 * object in it. It is NULL, and *refused and *why tell why, where that cannot be done.
 */
sft_status sft_scope_open_nested(sft_scope *scope, sft_ref call, sft_scope **inner,
                                 sft_status *refused, const char **why);
void sft_scope_close_nested(sft_scope *inner);

/* ---- values that are tensors ---- */

/* Whether a value is a tensor, refused ones included. *tensor has no name then. */
sft_status sft_torch_tensor_of(sft_scope *scope, sft_ref ref, sft_found_tensor *tensor,
                               bool *is_tensor);
sft_status sft_numpy_tensor_of(sft_scope *scope, sft_ref ref, sft_found_tensor *tensor,
                               bool *is_tensor);
sft_status sft_tar_tensor_of(sft_scope *scope, sft_ref ref, sft_found_tensor *tensor,
                             bool *is_tensor);

/* A tensor as it is described, before its bounds are checked. */
typedef struct sft_view {
    sft_dtype dtype;
    uint32_t rank;
    uint64_t shape[SFT_RANK_MAX];
    uint64_t strides[SFT_RANK_MAX];
    uint64_t offset;  /* in elements, from the first byte of the store */
    uint64_t storage; /* its number in the result */
    uint64_t skipped; /* bytes of the storage before the store */
    uint64_t size;    /* bytes of the store */
} sft_view;

/* Checks bounds, and puts what is sound into *tensor; else the tensor is refused. */
sft_status sft_view_check(sft_finder *finder, sft_view *view, sft_found_tensor *tensor);

/* Marks a tensor as refused. The sentence is a printf-like format. SFT_OK, or SFT_NO_MEMORY. */
sft_status sft_refuse(sft_finder *finder, sft_found_tensor *tensor, sft_status status,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ---- the walk ---- */

/* Walks what the pickle returns, and adds tensors and leaves to the result. */
sft_status sft_find_leaves(sft_scope *scope);

/* Adds a tensor under a name. The name is copied. */
sft_status sft_finder_add(sft_finder *finder, const sft_found_tensor *tensor, const char *name,
                          size_t length, size_t first_key);

/* ---- containers ---- */

sft_status sft_find_zip(sft_finder *finder, const sft_region *region);
sft_status sft_find_tar(sft_finder *finder, const sft_region *region);
sft_status sft_find_pickle(sft_finder *finder, const sft_region *region);
sft_status sft_find_npy(sft_finder *finder, const sft_region *region, const char *name,
                        size_t name_length);

#endif
