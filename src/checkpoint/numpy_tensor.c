/* NumPy's arrays as tensors: those of pickles, of joblib and of .npy files. */
#include "base/checked.h"
#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/finder.h"
#include "checkpoint/joblib.h"
#include "checkpoint/numpy.h"

/* What every form of an array says. */
typedef struct array {
    sft_numpy_dtype dtype;
    bool fortran;
    uint32_t rank;
    const uint64_t *shape;
} array;

static sft_status refuse_dtype(sft_finder *finder, const sft_numpy_dtype *dtype,
                               sft_found_tensor *tensor) {
    if (dtype->object) {
        return sft_refuse(finder, tensor, SFT_UNSUPPORTED_TENSOR,
                          "its elements are Python objects, not numbers");
    }
    return sft_refuse(finder, tensor, SFT_UNSUPPORTED_TENSOR,
                      "its elements are of NumPy's type %s, which cannot be converted",
                      dtype->text);
}

static bool fill_strides(const array *a, sft_view *view) {
    uint64_t step = 1;
    for (uint32_t i = 0; i < a->rank; i++) {
        uint32_t at = a->fortran ? i : a->rank - 1 - i;
        view->strides[at] = step;
        if (a->shape[at] > 1 && !sft_multiply(step, a->shape[at], &step)) {
            return false;
        }
    }
    return true;
}

/* How many bytes the elements take; false where that does not fit. */
static bool array_size(const array *a, uint64_t *size) {
    uint64_t elements;
    return sft_shape_elements(a->shape, a->rank, &elements) &&
           sft_multiply(elements, a->dtype.item_size, size);
}

static sft_status make_tensor(sft_finder *finder, const array *a, const sft_region *bytes,
                              uint64_t storage, sft_found_tensor *tensor) {
    sft_view view = {
        .dtype = a->dtype.dtype, .rank = a->rank, .storage = storage, .size = bytes->size};
    uint64_t size;
    if (!array_size(a, &size) || size != bytes->size || !fill_strides(a, &view)) {
        return sft_refuse(finder, tensor, SFT_STORAGE_SIZE,
                          "%llu byte%s stand for its elements, which is not what its shape needs",
                          (unsigned long long)bytes->size, sft_plural(bytes->size));
    }
    for (uint32_t i = 0; i < a->rank; i++) {
        view.shape[i] = a->shape[i];
    }
    return sft_view_check(finder, &view, tensor);
}

/* ---- in pickles ---- */

/* The bytes of a value as a store of its own, UINT64_MAX where it stands for none. */
static sft_status bytes_store(sft_scope *scope, sft_ref bytes, bool big_endian, uint64_t *number) {
    sft_store store = {.key = "", .array = true, .resolved = true};
    sft_region region;
    bool latin1;
    sft_ref text = sft_scope_text(scope, bytes, &latin1);
    *number = UINT64_MAX;
    sft_status status = sft_scope_make_store_of(scope);
    if (status != SFT_OK || text == SFT_NO_REF) {
        return status;
    }
    if (scope->store_of[text] > 0) {
        *number = scope->store_of[text] - 1;
        return SFT_OK;
    }
    status = sft_scope_bytes(scope, text, latin1, &region);
    if (status == SFT_OK) {
        status = sft_finder_storage(scope->finder, &region, big_endian, &store.storage);
    }
    if (status == SFT_OK) {
        status = sft_scope_add_store(scope, &store, number);
    }
    if (status == SFT_OK) {
        scope->store_of[text] = (uint32_t)*number + 1;
    }
    return status;
}

/*
 * The storage that a value's bytes are. Arrays that share the value share the storage, unless they
 * differ in the order of bytes.
 */
static sft_status storage_of(sft_scope *scope, sft_ref bytes, bool big_endian, sft_region *region,
                             uint64_t *storage, bool *is) {
    const sft_found *found = scope->finder->found;
    uint64_t number;
    sft_status status = bytes_store(scope, bytes, big_endian, &number);
    *is = status == SFT_OK && number != UINT64_MAX && scope->stores[number].array;
    if (!*is) {
        return status;
    }
    sft_store *store = &scope->stores[number];
    *storage = store->storage;
    *region = found->storages[store->storage].region;
    if (found->storages[store->storage].big_endian == big_endian) {
        return SFT_OK;
    }
    if (!store->has_swapped) {
        status = sft_finder_storage(scope->finder, region, big_endian, &store->swapped);
        store->has_swapped = status == SFT_OK;
    }
    *storage = store->swapped;
    return status;
}

static sft_status add_bytes(sft_scope *scope, sft_ref bytes, const array *a,
                            sft_found_tensor *tensor) {
    sft_finder *finder = scope->finder;
    sft_region region = scope->region;
    uint64_t storage = 0;
    uint64_t size;
    bool is = true;
    if (!a->dtype.supported) {
        return refuse_dtype(finder, &a->dtype, tensor);
    }
    sft_status status;
    if (array_size(a, &size) && size == 0) {
        /* Empty bytes are written in several ways: b'' as bytes() for one. */
        region.size = 0;
        status = sft_finder_storage(finder, &region, false, &storage);
    } else if (bytes == SFT_NO_REF) {
        is = false;
        status = SFT_OK;
    } else {
        status = storage_of(scope, bytes, a->dtype.big_endian, &region, &storage, &is);
    }
    if (status != SFT_OK) {
        return status;
    }
    if (!is) {
        return sft_refuse(finder, tensor, SFT_MISSING_STORAGE,
                          "what stands for its bytes is no text of bytes");
    }
    return make_tensor(finder, a, &region, storage, tensor);
}

/* What NumpyArrayWrapper stands for: bytes behind it in the file. */
static sft_status add_raw(sft_scope *scope, sft_ref ref, const sft_joblib_array *wrapper,
                          sft_found_tensor *tensor) {
    const sft_object *object = sft_graph_object(&scope->pickle.graph, ref);
    const array a = {wrapper->dtype, wrapper->fortran, wrapper->rank, wrapper->shape};
    sft_region region;
    uint64_t storage;
    if (!a.dtype.supported) {
        return refuse_dtype(scope->finder, &a.dtype, tensor);
    }
    if (!sft_region_part(&scope->region, object->raw_offset, object->raw_size, &region)) {
        return sft_refuse(scope->finder, tensor, SFT_MISSING_STORAGE,
                          "its bytes are not in the file");
    }
    sft_status status = sft_finder_storage(scope->finder, &region, a.dtype.big_endian, &storage);
    return status == SFT_OK ? make_tensor(scope->finder, &a, &region, storage, tensor) : status;
}

sft_status sft_numpy_tensor_of(sft_scope *scope, sft_ref ref, sft_found_tensor *tensor,
                               bool *is_tensor) {
    const sft_graph *graph = &scope->pickle.graph;
    const char *why = NULL;
    sft_numpy_array found;
    sft_joblib_array wrapper;
    *tensor = (sft_found_tensor){.refused = SFT_OK};
    *is_tensor = true;
    if (scope->joblib && sft_graph_kind(graph, ref) == SFT_VALUE_OBJECT &&
        sft_joblib_array_of(graph, ref, &wrapper)) {
        return add_raw(scope, ref, &wrapper, tensor);
    }
    switch (sft_numpy_array_of(graph, ref, &found, &why)) {
    case SFT_NUMPY_ARRAY: {
        const array a = {found.dtype, found.fortran, found.rank, found.shape};
        return add_bytes(scope, found.bytes, &a, tensor);
    }
    case SFT_NUMPY_BROKEN:
        return sft_refuse(scope->finder, tensor, SFT_UNSUPPORTED_TENSOR, "%s", why);
    case SFT_NUMPY_RANK:
        return sft_refuse(scope->finder, tensor, SFT_SOURCE_LIMIT, "%s", why);
    default:
        *is_tensor = false;
        return SFT_OK;
    }
}

/* ---- in files of their own ---- */

sft_status sft_find_npy(sft_finder *finder, const sft_region *region, const char *name,
                        size_t name_length) {
    sft_npy npy;
    sft_found_tensor tensor;
    sft_status status = sft_npy_read(region, &finder->allocator, &npy, finder->error);
    if (status != SFT_OK) {
        return status;
    }
    const array a = {npy.dtype, npy.fortran, npy.rank, npy.shape};
    sft_region bytes;
    uint64_t storage;
    if (!npy.dtype.supported ||
        !sft_region_part(region, npy.data, region->size - npy.data, &bytes)) {
        status = refuse_dtype(finder, &npy.dtype, &tensor);
    } else {
        status = sft_finder_storage(finder, &bytes, npy.dtype.big_endian, &storage);
        if (status == SFT_OK) {
            status = make_tensor(finder, &a, &bytes, storage, &tensor);
        }
    }
    return status == SFT_OK ? sft_finder_add(finder, &tensor, name, name_length, name_length)
                            : status;
}
