#include "checkpoint/joblib.h"

#include "base/checked.h"
#include "checkpoint/numpy.h"

static bool read_order(const sft_graph *graph, sft_ref order, bool *fortran) {
    *fortran = order != SFT_NO_REF && sft_graph_is_text(graph, order, "F");
    return *fortran || (order != SFT_NO_REF && sft_graph_is_text(graph, order, "C"));
}

/* joblib looks at the class of what was built, however the instance was made. */
static bool is_wrapper(const sft_graph *graph, sft_ref object) {
    sft_role role = sft_value_role(graph, object, NULL);
    if (role != SFT_ROLE_RECONSTRUCTOR) {
        return role == SFT_ROLE_JOBLIB_ARRAY;
    }
    sft_ref class = sft_value_argument(graph, object, 0);
    return class != SFT_NO_REF && sft_policy_role(graph, class, NULL) == SFT_ROLE_JOBLIB_ARRAY;
}

/*
 * Whether it was made as joblib.dump writes it: an empty instance, then one state. Whatever else
 * sets its attributes could tell another story. The state has six or seven keys.
 */
static bool is_plain(const sft_graph *graph, sft_ref object, sft_ref *state) {
    const sft_object *made = sft_graph_object(graph, object);
    bool empty = made->call == SFT_CALL_NEWOBJ && sft_value_arguments(graph, object) == 0;
    bool reconstructed = made->call == SFT_CALL_REDUCE &&
                         sft_value_role(graph, object, NULL) == SFT_ROLE_RECONSTRUCTOR;
    if ((!empty && !reconstructed) || made->state_count != 1) {
        return false;
    }
    *state = sft_value_state(graph, object);
    return sft_graph_kind(graph, *state) == SFT_VALUE_DICT &&
           sft_graph_value(graph, *state)->count <= 32;
}

bool sft_joblib_array_of(const sft_graph *graph, sft_ref object, sft_joblib_array *array) {
    *array = (sft_joblib_array){.rank = 0};
    sft_ref state;
    if (!is_wrapper(graph, object) || !is_plain(graph, object, &state)) {
        return false;
    }
    sft_ref dtype = sft_value_lookup(graph, state, "dtype");
    if (dtype == SFT_NO_REF || !sft_numpy_dtype_of(graph, dtype, &array->dtype) ||
        sft_value_shape(graph, sft_value_lookup(graph, state, "shape"), array->shape,
                        &array->rank) != SFT_SHAPE_READ ||
        !read_order(graph, sft_value_lookup(graph, state, "order"), &array->fortran) ||
        !sft_shape_elements(array->shape, array->rank, &array->elements)) {
        return false;
    }
    if (array->dtype.object) {
        return true;
    }
    return array->dtype.item_size > 0 &&
           sft_multiply(array->elements, array->dtype.item_size, &array->size);
}

/* From joblib 1.1 on a byte tells how much padding follows, so that the array is aligned. */
static bool skip_padding(const sft_joblib *joblib, const sft_graph *graph, sft_ref object,
                         uint64_t *position) {
    sft_ref alignment =
        sft_value_lookup(graph, sft_value_state(graph, object), "numpy_array_alignment_bytes");
    if (alignment == SFT_NO_REF || sft_graph_kind(graph, alignment) == SFT_VALUE_NONE) {
        return true;
    }
    unsigned char padding;
    if (sft_region_read(joblib->region, *position, &padding, 1, NULL) != SFT_OK) {
        return false;
    }
    return sft_add(*position, UINT64_C(1) + padding, position);
}

bool sft_joblib_after_build(void *context, const sft_graph *graph, sft_ref object,
                            uint64_t position, uint64_t *raw_offset, uint64_t *raw_size,
                            uint64_t *next) {
    sft_joblib *joblib = context;
    if (!is_wrapper(graph, object)) {
        return false;
    }
    sft_joblib_array array;
    bool understood = sft_joblib_array_of(graph, object, &array);
    if (understood && array.dtype.object) {
        joblib->seen = true;
        *raw_offset = position;
        *raw_size = 0;
        return joblib->nested != NULL && joblib->nested(joblib->context, position, next);
    }
    understood = understood && skip_padding(joblib, graph, object, &position) &&
                 sft_add(position, array.size, next) && *next <= joblib->region->size;
    if (!understood) {
        joblib->misread = true;
        return false;
    }
    joblib->seen = true;
    *raw_offset = position;
    *raw_size = array.size;
    return true;
}
