#include "ahead.h"

#include <stdlib.h>

#include "block.h"
#include "memory.h"

/* Larger tensors are read by themselves: what they cost is their bytes. */
#define SMALL (UINT64_C(64) << 10)

/* A window's size, the first and the largest; one survivor of its tensors keeps all of it. */
#define FIRST_REACH (UINT64_C(64) << 10)
#define LARGEST_REACH (UINT64_C(2) << 20)

struct ahead_window {
    block *memory;
    PyObject *buffer; /* of all of it */
    uint64_t first;   /* the place in the file of its first tensor … */
    uint64_t taken;   /* … of the first that is still to be had … */
    uint64_t end;     /* … and one past its last */
    uint32_t offsets[];
};

bool ahead_take(ahead *self, uint64_t index, byte_region *region, void **data) {
    ahead_window *window = self->window;
    if (window == NULL || index < window->taken || index >= window->end) {
        return false;
    }
    window->taken = index + 1;
    self->next = index + 1;
    owner_hold(&window->memory->owner);
    *region = (byte_region){&window->memory->owner, window->memory->memory, window->memory->size,
                            true, Py_NewRef(window->buffer)};
    *data = (char *)window->memory->memory + window->offsets[index - window->first];
    return true;
}

uint64_t ahead_reach(ahead *self, uint64_t index) {
    if (index != self->next) {
        self->reach = 0;
    } else if (self->reach == 0) {
        self->reach = FIRST_REACH;
    } else if (self->reach < LARGEST_REACH) {
        self->reach *= 2;
    }
    self->next = index + 1;
    return self->reach;
}

/* How many tensors from one on are small and fit. */
static uint64_t count_small(const handle *file, uint64_t index, uint64_t reach) {
    uint64_t count = 0;
    uint64_t bytes = 0;
    while (index + count < handle_count(file) && count < reach / BLOCK_ALIGNMENT) {
        uint64_t size = placed_size(handle_at(file, index + count));
        if (size >= SMALL || bytes + size > reach) {
            break;
        }
        bytes += block_next(size);
        count++;
    }
    return count;
}

/* Gives each tensor its place. Returns the bytes of all. */
static uint64_t lay_out(ahead_window *self, const handle *file) {
    uint64_t offset = 0;
    uint64_t end = 0;
    for (uint64_t i = self->first; i < self->end; i++) {
        self->offsets[i - self->first] = (uint32_t)offset;
        end = offset + placed_size(handle_at(file, i));
        offset = block_next(end);
    }
    return end;
}

static bool fill(const ahead_window *self, const handle *file) {
    uint64_t count = self->end - self->first;
    sft_read_request *requests = calloc((size_t)count, sizeof *requests);
    if (requests == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        void *to = (char *)self->memory->memory + self->offsets[i];
        requests[i] = placed_request(handle_at(file, self->first + i), to);
    }
    sft_read_options options = SFT_READ_OPTIONS;
    options.threads = 1;
    sft_status status = sft_read_many(requests, count, &options, NULL);
    free(requests);
    return status == SFT_OK;
}

static ahead_window *read_window(const handle *file, uint64_t index, uint64_t count) {
    ahead_window *self = malloc(sizeof *self + (size_t)count * sizeof self->offsets[0]);
    if (self == NULL) {
        return NULL;
    }
    *self = (ahead_window){.first = index, .taken = index, .end = index + count};
    self->memory = block_new(lay_out(self, file));
    if (self->memory == NULL || !fill(self, file)) {
        ahead_free(self);
        return NULL;
    }
    return self;
}

ahead_window *ahead_read(module_state *state, const handle *file, uint64_t index, uint64_t reach) {
    uint64_t count = count_small(file, index, reach);
    if (count < 2) {
        return NULL;
    }
    PyThreadState *thread = PyEval_SaveThread();
    ahead_window *self = read_window(file, index, count);
    PyEval_RestoreThread(thread);
    if (self != NULL) {
        self->buffer = memory_new(state, &self->memory->owner, self->memory->memory,
                                  (Py_ssize_t)self->memory->size, true);
        if (self->buffer == NULL) {
            PyErr_Clear();
            ahead_free(self);
            return NULL;
        }
    }
    return self;
}

ahead_window *ahead_put(ahead *self, ahead_window *window) {
    ahead_window *before = self->window;
    self->window = window;
    return before;
}

void ahead_free(ahead_window *window) {
    if (window == NULL) {
        return;
    }
    Py_XDECREF(window->buffer);
    if (window->memory != NULL) {
        owner_drop(&window->memory->owner);
    }
    free(window);
}
