#include "dlpack.h"

#include <stdatomic.h>
#include <stdlib.h>

typedef struct dl_type {
    uint8_t code;
    uint8_t bits;
    uint16_t lanes;
} dl_type;

typedef struct dl_tensor {
    void *data;
    int32_t device_type;
    int32_t device_number;
    int32_t rank;
    dl_type type;
    int64_t *shape;
    int64_t *strides; /* NULL: dense, the last dimension first */
    uint64_t offset;
} dl_tensor;

typedef struct dl_managed {
    dl_tensor tensor;
    void *context;
    void (*deleter)(struct dl_managed *self);
} dl_managed;

/*
 * What a capsule holds: the standard's struct, and what that points to. Both the capsule and its
 * consumer hold it: PyTorch calls the deleter of a tensor that it then refuses, and leaves the
 * capsule's name as it was, as if nothing had been taken.
 */
typedef struct package {
    owner owner;
    dl_managed managed;
    atomic_bool deleted;
    owner *keep;
    int64_t shape[];
} package;

enum { DL_CPU = 1 };

static const char capsule_name[] = "dltensor";

/* Lanes are 0 where the standard has no such type. */
static const dl_type types[SFT_DTYPES] = {
    [SFT_BOOL] = {6, 8, 1},     [SFT_F4] = {17, 4, 2},          [SFT_U8] = {1, 8, 1},
    [SFT_I8] = {0, 8, 1},       [SFT_F8_E5M2] = {12, 8, 1},     [SFT_F8_E4M3] = {10, 8, 1},
    [SFT_F8_E8M0] = {14, 8, 1}, [SFT_F8_E4M3FNUZ] = {11, 8, 1}, [SFT_F8_E5M2FNUZ] = {13, 8, 1},
    [SFT_I16] = {0, 16, 1},     [SFT_U16] = {1, 16, 1},         [SFT_F16] = {2, 16, 1},
    [SFT_BF16] = {4, 16, 1},    [SFT_I32] = {0, 32, 1},         [SFT_U32] = {1, 32, 1},
    [SFT_F32] = {2, 32, 1},     [SFT_C64] = {5, 64, 1},         [SFT_F64] = {2, 64, 1},
    [SFT_I64] = {0, 64, 1},     [SFT_U64] = {1, 64, 1},
};

bool dlpack_knows(sft_dtype dtype) {
    return types[dtype].lanes != 0;
}

static void package_free(owner *self) {
    free(self);
}

/* The deleter, which the consumer calls once. */
static void let_go(dl_managed *managed) {
    package *self = managed->context;
    atomic_store(&self->deleted, true);
    owner_drop(self->keep);
    owner_drop(&self->owner);
}

/* A consumer renames the capsule that it takes over. */
static void capsule_free(PyObject *capsule) {
    package *self = PyCapsule_GetContext(capsule);
    if (self == NULL) {
        return;
    }
    if (PyCapsule_IsValid(capsule, capsule_name) && !atomic_load(&self->deleted)) {
        let_go(&self->managed);
    }
    owner_drop(&self->owner);
}

PyObject *dlpack_capsule(owner *keep, void *data, sft_dtype dtype, const uint64_t *shape,
                         uint32_t rank) {
    package *self = malloc(sizeof *self + rank * sizeof self->shape[0]);
    if (self == NULL) {
        return PyErr_NoMemory();
    }
    for (uint32_t i = 0; i < rank; i++) {
        if (shape[i] > INT64_MAX) {
            free(self);
            return PyErr_Format(PyExc_OverflowError,
                                "a dimension of %llu is more than tensors can have",
                                (unsigned long long)shape[i]);
        }
        self->shape[i] = (int64_t)shape[i];
    }
    self->managed = (dl_managed){
        .tensor = {data, DL_CPU, 0, (int32_t)rank, types[dtype], self->shape, NULL, 0},
        .context = self,
        .deleter = let_go,
    };
    PyObject *capsule = PyCapsule_New(&self->managed, capsule_name, capsule_free);
    if (capsule == NULL) {
        free(self);
        return NULL;
    }
    owner_init(&self->owner, package_free);
    owner_hold(&self->owner);
    atomic_init(&self->deleted, false);
    self->keep = owner_hold(keep);
    if (PyCapsule_SetContext(capsule, self) < 0) {
        let_go(&self->managed);
        owner_drop(&self->owner);
        Py_CLEAR(capsule);
    }
    return capsule;
}
