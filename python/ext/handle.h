/*
 * An open file or sharded model. Everything made from it that needs its bytes (mapped tensors,
 * slices) holds it; it is closed with the last hold, from whatever thread.
 */
#ifndef SFT_PYTHON_HANDLE_H
#define SFT_PYTHON_HANDLE_H

#include <sft.h>

#include "owner.h"
#include "state.h"

typedef struct handle {
    owner owner;
    sft_file *file;   /* one file, or NULL */
    sft_model *model; /* a model of shards, or NULL */
    bool with_python; /* its bytes come from a Python object: reading needs the interpreter, and is
                         done by the calling thread alone */
    PyObject *from;   /* the Python object that has the bytes, which the handle keeps, or NULL */
    bool views;       /* tensors may lie in the caller's own memory, where the file is … */
    bool writable;    /* … and change it */
} handle;

/*
 * The path that a user means, a str or os.PathLike, as str; a new reference, or NULL with a
 * TypeError.
 */
PyObject *handle_path(PyObject *given);

/*
 * Opens a file, an index (*.index.json) or a folder of shards.
 *
 * @path: what handle_path() returned
 * @access: how its bytes are reached; where they are mapped, pages are copied when written to
 *
 * Returns the handle with one hold, the caller's; NULL with an exception.
 */
handle *handle_open_path(module_state *state, PyObject *path, sft_access access);

/*
 * Opens what a file object reads. If it has a descriptor of a regular file, that is used, never the
 * object; else its read() and seek() are, always in the thread that asks.
 *
 * Returns as handle_open_path() does; exceptions of the object pass as they are.
 */
handle *handle_open_object(module_state *state, PyObject *object, sft_access access);

/*
 * Opens a file that is in memory: any object with a buffer of bytes. The buffer is held until the
 * handle is closed. With @views tensors may lie in it, without a copy. Returns as
 * handle_open_path() does.
 */
handle *handle_open_bytes(module_state *state, PyObject *bytes, bool views);

/*
 * Sets the exception for a failed read from a handle, unless a Python file object raised its own,
 * and returns NULL.
 */
PyObject *handle_raise(module_state *state, const handle *self, const sft_error *error);

/*
 * For the tp_traverse of what has a hold: shows the collector the Python object that has the bytes.
 * Only a single hold may show it, for the handle itself keeps it once. NULL is fine.
 */
int handle_traverse(const handle *self, visitproc visit, void *arg);

/* A tensor and the file that holds it; the file is NULL if there is no such tensor. */
typedef struct placed_tensor {
    const sft_tensor *tensor;
    const sft_file *file;
} placed_tensor;

/* Its bytes. */
static inline uint64_t placed_size(placed_tensor place) {
    return place.tensor->end - place.tensor->begin;
}

/* What reads all of it into memory of that size. */
static inline sft_read_request placed_request(placed_tensor place, void *to) {
    return (sft_read_request){
        .file = place.file, .tensor = place.tensor, .to = to, .size = placed_size(place)};
}

/* The tensor of a name, of all shards. */
placed_tensor handle_find(const handle *self, const char *name, size_t length);

/* Tensors there are, and one by its place in file order, shard after shard. */
uint64_t handle_count(const handle *self);
placed_tensor handle_at(const handle *self, uint64_t index);

/*
 * Where the bytes of a tensor lie, for as long as the handle is held; NULL where they have to be
 * read. @writable: receives whether tensors over them may change them
 */
void *handle_view(const handle *self, placed_tensor place, bool *writable);

/* The files, and one of them by its place. */
uint64_t handle_files(const handle *self);
const sft_file *handle_file(const handle *self, uint64_t index);

#endif
