/*
 * An open file or sharded model. Everything made from it that needs its bytes (mapped tensors,
 * slices) holds it; it is closed with the last hold, from whatever thread.
 */
#ifndef SFT_PYTHON_HANDLE_H
#define SFT_PYTHON_HANDLE_H

#include <sft.h>

#include "owner.h"

typedef struct handle {
    owner owner;
    sft_file *file;   /* one file, or NULL */
    sft_model *model; /* a model of shards, or NULL */
    bool with_python; /* its bytes come from a Python object: reading needs the interpreter, and is
                         done by the calling thread alone */
} handle;

/* A tensor and the file that holds it; the file is NULL if there is no such tensor. */
typedef struct placed_tensor {
    const sft_tensor *tensor;
    const sft_file *file;
} placed_tensor;

/* The tensor of a name, of all shards. */
placed_tensor handle_find(const handle *self, const char *name, size_t length);

/* Tensors there are, and one by its place in file order, shard after shard. */
uint64_t handle_count(const handle *self);
placed_tensor handle_at(const handle *self, uint64_t index);

#endif
