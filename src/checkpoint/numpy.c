#include "checkpoint/numpy.h"

#include <stdio.h>
#include <string.h>

/* ---- types of elements ---- */

/* What dtype(…) is called with: "f4", or a class of another package such as ml_dtypes.bfloat16. */
static bool read_name(const sft_graph *graph, sft_ref name, sft_numpy_dtype *dtype) {
    if (name == SFT_NO_REF) {
        return false;
    }
    sft_value_kind kind = sft_graph_kind(graph, name);
    if (kind == SFT_VALUE_STR || kind == SFT_VALUE_OLD_STR) {
        const sft_long_text *text = sft_graph_text(graph, name);
        return text->text.bytes != NULL &&
               sft_numpy_dtype_parse(text->text.bytes, (size_t)text->length, dtype, NULL) == SFT_OK;
    }
    const sft_policy_entry *entry = NULL;
    if (kind != SFT_VALUE_GLOBAL ||
        sft_policy_role(graph, name, &entry) != SFT_ROLE_NUMPY_DTYPE_CLASS || entry == NULL) {
        return false;
    }
    *dtype = (sft_numpy_dtype){.supported = entry->dtype != SFT_NO_DTYPE};
    if (dtype->supported) {
        dtype->dtype = (sft_dtype)entry->dtype;
        dtype->item_size = sft_dtype_bits(dtype->dtype) / 8;
    }
    snprintf(dtype->text, sizeof dtype->text, "%s", entry->name);
    return true;
}

/*
 * (version, order, subtype, names, fields, size, alignment, flags), and metadata from version 4 on:
 * arraydescr_setstate() in NumPy's descriptor.c. Older ones have no flags; they are not read here.
 */
static bool read_state(const sft_graph *graph, sft_ref state, sft_numpy_dtype *dtype) {
    const sft_value *tuple = sft_graph_value(graph, state);
    uint64_t version;
    uint64_t flags;
    if (tuple->kind != SFT_VALUE_TUPLE || (tuple->count != 8 && tuple->count != 9) ||
        !sft_graph_size(graph, sft_graph_at(graph, state, 0), &version) || version < 3 ||
        version > 4 || !sft_graph_size(graph, sft_graph_at(graph, state, 7), &flags)) {
        return false;
    }
    sft_ref order = sft_graph_at(graph, state, 1);
    bool big = sft_graph_is_text(graph, order, ">");
    if (!big && !sft_graph_is_text(graph, order, "<") && !sft_graph_is_text(graph, order, "|") &&
        !sft_graph_is_text(graph, order, "=")) {
        return false;
    }
    dtype->big_endian = big && dtype->item_size > 1;
    uint64_t size;
    if (!dtype->supported && dtype->item_size == 0 &&
        sft_graph_size(graph, sft_graph_at(graph, state, 5), &size)) {
        dtype->item_size = size;
    }
    /* NPY_ITEM_REFCOUNT: elements are, or hold, references to objects. */
    if ((flags & 1) != 0) {
        dtype->object = true;
        dtype->supported = false;
    }
    return true;
}

bool sft_numpy_dtype_of(const sft_graph *graph, sft_ref ref, sft_numpy_dtype *dtype) {
    sft_role role = sft_value_role(graph, ref, NULL);
    sft_ref name = SFT_NO_REF;
    if (role == SFT_ROLE_NUMPY_DTYPE) {
        name = sft_value_argument(graph, ref, 0);
    } else if (role == SFT_ROLE_NUMPY_DTYPE_CLASS && sft_value_arguments(graph, ref) == 0) {
        name = sft_graph_object(graph, ref)->callee;
    }
    if (!read_name(graph, name, dtype)) {
        return false;
    }
    sft_ref state = sft_value_state(graph, ref);
    if (state == SFT_NO_REF) {
        return true;
    }
    /* dtype(name, align, copy): without a copy it is NumPy's own, to which BUILD does nothing. */
    uint64_t copy;
    sft_ref third = role == SFT_ROLE_NUMPY_DTYPE ? sft_value_argument(graph, ref, 2) : SFT_NO_REF;
    if (role == SFT_ROLE_NUMPY_DTYPE &&
        (third == SFT_NO_REF || !sft_graph_size(graph, third, &copy) || copy == 0)) {
        return false;
    }
    return read_state(graph, state, dtype);
}

/* ---- arrays ---- */

static sft_numpy_result broken(const char **why, const char *sentence) {
    *why = sentence;
    return SFT_NUMPY_BROKEN;
}

static sft_numpy_result read_shape(const sft_graph *graph, sft_ref shape, sft_numpy_array *array,
                                   const char **why) {
    switch (sft_value_shape(graph, shape, array->shape, &array->rank)) {
    case SFT_SHAPE_READ:
        return SFT_NUMPY_ARRAY;
    case SFT_SHAPE_LARGE:
        *why = "it has more than 64 dimensions";
        return SFT_NUMPY_RANK;
    default:
        return broken(why, "its shape is not a tuple of sizes");
    }
}

/* _reconstruct(ndarray, …), then (version, shape, dtype, is_fortran, bytes) by BUILD. */
static sft_numpy_result read_reconstructed(const sft_graph *graph, sft_ref ref,
                                           sft_numpy_array *array, const char **why) {
    sft_ref class = sft_value_argument(graph, ref, 0);
    if (class == SFT_NO_REF || sft_policy_role(graph, class, NULL) != SFT_ROLE_NUMPY_ARRAY) {
        return SFT_NUMPY_NONE;
    }
    sft_ref state = sft_value_state(graph, ref);
    if (state == SFT_NO_REF) {
        return broken(why, "it has no state, and so no bytes");
    }
    const sft_value *tuple = sft_graph_value(graph, state);
    if (tuple->kind != SFT_VALUE_TUPLE || (tuple->count != 4 && tuple->count != 5)) {
        return broken(why, "its state is not a tuple of a version, shape, type, order and bytes");
    }
    /* The first ones had no version: array_setstate() in NumPy's methods.c. */
    uint32_t first = tuple->count - 4;
    if (!sft_numpy_dtype_of(graph, sft_graph_at(graph, state, first + 1), &array->dtype)) {
        return broken(why, "the type of its elements is described in a way that is not known");
    }
    uint64_t fortran;
    if (!sft_graph_size(graph, sft_graph_at(graph, state, first + 2), &fortran)) {
        return broken(why, "whether it is in Fortran's order is not a truth value");
    }
    array->fortran = fortran != 0;
    array->bytes = sft_graph_at(graph, state, first + 3);
    return read_shape(graph, sft_graph_at(graph, state, first), array, why);
}

/* _frombuffer(buffer, dtype, shape, order), by which protocol 5 writes arrays. */
static sft_numpy_result read_from_buffer(const sft_graph *graph, sft_ref ref,
                                         sft_numpy_array *array, const char **why) {
    if (sft_value_arguments(graph, ref) != 4) {
        return broken(why, "its axes are in an order that cannot be read here");
    }
    if (!sft_numpy_dtype_of(graph, sft_value_argument(graph, ref, 1), &array->dtype)) {
        return broken(why, "the type of its elements is described in a way that is not known");
    }
    sft_ref order = sft_value_argument(graph, ref, 3);
    array->fortran = sft_graph_is_text(graph, order, "F");
    if (!array->fortran && !sft_graph_is_text(graph, order, "C")) {
        return broken(why, "its order is neither C nor F");
    }
    array->bytes = sft_value_argument(graph, ref, 0);
    return read_shape(graph, sft_value_argument(graph, ref, 2), array, why);
}

sft_numpy_result sft_numpy_array_of(const sft_graph *graph, sft_ref ref, sft_numpy_array *array,
                                    const char **why) {
    *array = (sft_numpy_array){.rank = 0};
    switch (sft_value_role(graph, ref, NULL)) {
    case SFT_ROLE_NUMPY_RECONSTRUCT:
        return read_reconstructed(graph, ref, array, why);
    case SFT_ROLE_NUMPY_FROM_BUFFER:
        return read_from_buffer(graph, ref, array, why);
    default:
        return SFT_NUMPY_NONE;
    }
}
