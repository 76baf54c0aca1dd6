#include "load.h"

#include <stdlib.h>

#include "arrays.h"
#include "block.h"

/* A tensor of this size or more gets a block of its own. */
#define OWN_BLOCK (UINT64_C(256) << 10)

/* Smaller ones share blocks up to this size, which one survivor keeps whole. */
#define SHARED_BLOCK (UINT64_C(2) << 20)

/* From here on it pays to read one tensor with several threads. */
#define MANY_THREADS (UINT64_C(4) << 20)

static tensor_layout layout_of(placed_tensor place, void *data, PyObject *name) {
    const sft_tensor *tensor = place.tensor;
    return (tensor_layout){data,         placed_size(place), tensor->dtype,
                           tensor->rank, tensor->shape,      name};
}

/* ---- one tensor ---- */

static sft_status read_one(const handle *file, placed_tensor place, const block *to,
                           sft_error *error) {
    if (file->with_python || to->size < MANY_THREADS) {
        return sft_read(place.file, place.tensor, to->memory, placed_size(place), error);
    }
    const sft_read_request request = placed_request(place, to->memory);
    return sft_read_many(&request, 1, NULL, error);
}

/* The tensor's bytes in memory of their own; NULL with an exception. */
static block *read_block(module_state *state, const handle *file, placed_tensor place) {
    block *self = block_new(placed_size(place));
    if (self == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    sft_error error;
    PyThreadState *thread = file->with_python ? NULL : PyEval_SaveThread();
    sft_status status = read_one(file, place, self, &error);
    if (thread != NULL) {
        PyEval_RestoreThread(thread);
    }
    if (status != SFT_OK) {
        owner_drop(&self->owner);
        handle_raise(state, file, &error);
        return NULL;
    }
    return self;
}

/*
 * Finds a tensor among those that were read ahead, or reads ahead if it goes on with a sequence.
 * Returns whether it is there.
 */
static bool find_ahead(module_state *state, const handle *file, placed_tensor place, ahead *around,
                       PyObject *guard, byte_region *region, void **data) {
    uint64_t index = sft_header_index(sft_file_header(place.file), place.tensor);
    uint64_t reach = 0;
    bool found;
    (void)guard; /* where the interpreter's lock does its work */
    Py_BEGIN_CRITICAL_SECTION(guard);
    found = ahead_take(around, index, region, data);
    if (!found) {
        reach = ahead_reach(around, index);
    }
    Py_END_CRITICAL_SECTION();
    ahead_window *window = reach == 0 ? NULL : ahead_read(state, file, index, reach);
    if (window != NULL) {
        ahead_window *before;
        Py_BEGIN_CRITICAL_SECTION(guard);
        before = ahead_put(around, window);
        found = ahead_take(around, index, region, data);
        Py_END_CRITICAL_SECTION();
        ahead_free(before);
    }
    return found;
}

PyObject *load_tensor(module_state *state, handle *file, framework *maker, placed_tensor place,
                      ahead *around, PyObject *guard, PyObject *name) {
    byte_region region = {.keep = &file->owner, .size = placed_size(place)};
    block *memory = NULL;
    void *data = region.start = handle_view(file, place, &region.writable);
    bool viewed = data != NULL;
    bool one_file = file->file != NULL && !file->with_python;
    if (!viewed && !(one_file && find_ahead(state, file, place, around, guard, &region, &data))) {
        memory = read_block(state, file, place);
        if (memory == NULL) {
            return NULL;
        }
        region = (byte_region){&memory->owner, memory->memory, memory->size, true, NULL};
        data = memory->memory;
    }
    const tensor_layout layout = layout_of(place, data, name);
    PyObject *tensor = framework_place(maker, &region, &layout);
    Py_XDECREF(region.buffer);
    if (!viewed) {
        owner_drop(region.keep);
    }
    return tensor;
}

/* ---- all tensors ---- */

/* A tensor's place in the plan. */
typedef struct planned_tensor {
    placed_tensor place;
    void *data;      /* where it lies in the file's own memory, or NULL: it is read */
    bool writable;   /* of that */
    uint64_t block;  /* which block it is read into … */
    uint64_t offset; /* … and where */
} planned_tensor;

/* What is read into which memory. Made in one pass over the tensors, before anything is read. */
typedef struct load_plan {
    planned_tensor *tensors;
    uint64_t count;
    uint64_t *block_sizes; /* as many as there are tensors at most */
    block **blocks;
    uint64_t block_count;
    sft_read_request *requests;
    uint64_t request_count;
} load_plan;

static void plan_end(load_plan *self) {
    for (uint64_t i = 0; self->blocks != NULL && i < self->block_count; i++) {
        if (self->blocks[i] != NULL) {
            owner_drop(&self->blocks[i]->owner);
        }
    }
    free(self->tensors);
    free(self->block_sizes);
    free(self->blocks);
    free(self->requests);
}

static void *array_of(uint64_t count, size_t size) {
    return count > SIZE_MAX ? NULL : calloc(count == 0 ? 1 : (size_t)count, size);
}

static bool plan_begin(load_plan *self, const handle *file) {
    uint64_t count = handle_count(file);
    *self = (load_plan){.count = count};
    self->tensors = array_of(count, sizeof *self->tensors);
    self->block_sizes = array_of(count, sizeof *self->block_sizes);
    self->blocks = array_of(count, sizeof(block *));
    self->requests = array_of(count, sizeof *self->requests);
    return self->tensors != NULL && self->block_sizes != NULL && self->blocks != NULL &&
           self->requests != NULL;
}

/* Gives a tensor its place in a block: a new one, or the one that small tensors share just now. */
static void plan_place(load_plan *self, planned_tensor *tensor, uint64_t *shared) {
    uint64_t size = placed_size(tensor->place);
    if (size >= OWN_BLOCK) {
        tensor->block = self->block_count++;
        self->block_sizes[tensor->block] = size;
        return;
    }
    uint64_t start = 0;
    if (*shared != UINT64_MAX) {
        start = block_next(self->block_sizes[*shared]);
    }
    if (*shared == UINT64_MAX || start + size > SHARED_BLOCK) {
        *shared = self->block_count++;
        start = 0;
    }
    tensor->block = *shared;
    tensor->offset = start;
    self->block_sizes[*shared] = start + size;
}

/* Decides for every tensor where its bytes are or will be. Returns false without memory. */
static bool plan_make(load_plan *self, const handle *file) {
    uint64_t shared = UINT64_MAX;
    for (uint64_t i = 0; i < self->count; i++) {
        planned_tensor *tensor = &self->tensors[i];
        tensor->place = handle_at(file, i);
        tensor->data = handle_view(file, tensor->place, &tensor->writable);
        if (tensor->data == NULL) {
            plan_place(self, tensor, &shared);
        }
    }
    if (!blocks_new(self->block_sizes, self->block_count, self->blocks)) {
        return false;
    }
    for (uint64_t i = 0; i < self->count; i++) {
        const planned_tensor *tensor = &self->tensors[i];
        if (tensor->data == NULL) {
            void *to = (char *)self->blocks[tensor->block]->memory + tensor->offset;
            self->requests[self->request_count++] = placed_request(tensor->place, to);
        }
    }
    return true;
}

static sft_status plan_read(const load_plan *self, const handle *file, sft_error *error) {
    sft_read_options options = SFT_READ_OPTIONS;
    options.threads = file->with_python ? 1 : 0;
    return sft_read_many(self->requests, self->request_count, &options, error);
}

/* Plans and reads. Returns 0, or -1 with an exception. */
static int plan_run(load_plan *self, module_state *state, const handle *file) {
    sft_error error = {.status = SFT_OK};
    PyThreadState *thread = PyEval_SaveThread();
    bool planned = plan_begin(self, file) && plan_make(self, file);
    if (file->with_python) {
        PyEval_RestoreThread(thread);
    }
    if (planned) {
        error.status = plan_read(self, file, &error);
    }
    if (!file->with_python) {
        PyEval_RestoreThread(thread);
    }
    if (!planned) {
        PyErr_NoMemory();
    } else if (error.status != SFT_OK) {
        handle_raise(state, file, &error);
    }
    return planned && error.status == SFT_OK ? 0 : -1;
}

/* Tensors of one block share its buffer, as long as they follow one another. */
static int fill_dict(const load_plan *self, handle *file, framework *maker, PyObject *dict) {
    byte_region region = {NULL, NULL, 0, true, NULL};
    int done = 0;
    for (uint64_t i = 0; done == 0 && i < self->count; i++) {
        const planned_tensor *planned = &self->tensors[i];
        const sft_tensor *tensor = planned->place.tensor;
        void *data = planned->data;
        if (data != NULL) {
            Py_CLEAR(region.buffer);
            region = (byte_region){&file->owner, data, placed_size(planned->place),
                                   planned->writable, NULL};
        } else {
            block *memory = self->blocks[planned->block];
            if (region.keep != &memory->owner) {
                Py_CLEAR(region.buffer);
                region = (byte_region){&memory->owner, memory->memory, memory->size, true, NULL};
            }
            data = (char *)memory->memory + planned->offset;
        }
        PyObject *name = PyUnicode_FromStringAndSize(tensor->name, (Py_ssize_t)tensor->name_length);
        const tensor_layout layout = layout_of(planned->place, data, name);
        PyObject *made = name == NULL ? NULL : framework_place(maker, &region, &layout);
        done = made == NULL ? -1 : PyDict_SetItem(dict, name, made);
        Py_XDECREF(made);
        Py_XDECREF(name);
    }
    Py_XDECREF(region.buffer);
    return done;
}

PyObject *load_tensors(module_state *state, handle *file, framework *maker) {
    load_plan plan;
    PyObject *dict = NULL;
    if (plan_run(&plan, state, file) == 0) {
        dict = PyDict_New();
        if (dict != NULL && fill_dict(&plan, file, maker, dict) < 0) {
            Py_CLEAR(dict);
        }
    }
    plan_end(&plan);
    return dict;
}
