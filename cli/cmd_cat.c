#include "commands.h"
#include "inputs.h"
#include "message.h"
#include "npy.h"
#include "output.h"
#include "progress.h"
#include "stream.h"

#include <stdlib.h>
#include <string.h>

/* What NAME[SLICE] stands for in a model. */
struct selection {
    sft_model_tensor place;
    const char *slice; /* NULL for the whole tensor */
};

/*
 * A tensor of exactly this name comes first. Else the name ends before a bracket;
 * names may hold brackets too, so each is tried, the last one first.
 */
static bool find_tensor(const sft_model *model, const char *wanted, struct selection *selection) {
    size_t length = strlen(wanted);
    selection->slice = NULL;
    if (sft_model_find(model, wanted, length, &selection->place)) {
        return true;
    }
    for (size_t at = length; at-- > 0;) {
        if (wanted[at] == '[' && sft_model_find(model, wanted, at, &selection->place)) {
            selection->slice = wanted + at;
            return true;
        }
    }
    return false;
}

static int exit_for(sft_status status) {
    switch (status) {
    case SFT_OK:
        return EXIT_FINE;
    case SFT_SLICE_SYNTAX:
    case SFT_SLICE_STEP:
        return EXIT_USAGE;
    case SFT_NOT_FOUND:
    case SFT_SLICE_RANK:
    case SFT_INDEX_OUT_OF_RANGE:
    case SFT_SLICE_PARTIAL_BYTE:
        return EXIT_NO;
    default:
        return EXIT_TROUBLE;
    }
}

/* A place in the text of the slice is no place in the file. */
static void report_slice(sft_error *error, const char *path, const sft_tensor *tensor) {
    error->byte = SFT_NO_BYTE;
    input_error_file(error, path);
    input_error_tensor(error, tensor->name, tensor->name_length);
    message_error(error);
}

static int refuse_npy(const char *path, const sft_tensor *tensor) {
    sft_error error;
    struct text sentence = TEXT_EMPTY;
    text_add_format(&sentence,
                    "NumPy has no type for elements of %s; cat without --npy gives the bytes",
                    sft_dtype_name(tensor->dtype));
    input_error(&error, SFT_UNSUPPORTED, path, sentence.bytes);
    input_error_tensor(&error, tensor->name, tensor->name_length);
    message_error(&error);
    text_free(&sentence);
    return EXIT_TROUBLE;
}

static void print_npy_header(const char *path, const sft_tensor *tensor, const uint64_t *shape,
                             uint32_t rank) {
    struct text header = TEXT_EMPTY;
    npy_header(&header, tensor->dtype, shape, rank);
    output_text(&header);
    text_free(&header);
    if (npy_is_opaque(tensor->dtype)) {
        message_line(path, "NOTE", "the elements are %s, which NumPy sees as raw bytes of type %s",
                     sft_dtype_name(tensor->dtype), npy_descr(tensor->dtype) + 1);
    }
}

static sft_status copy_out(const struct selection *selection, const sft_range *ranges,
                           uint32_t count, uint64_t bytes, sft_error *error) {
    const sft_model_tensor *place = &selection->place;
    if (!output_is_terminal()) {
        progress_begin(bytes);
    }
    sft_status status = selection->slice == NULL
                            ? stream_tensor(place->file, place->tensor, error)
                            : stream_slice(place->file, place->tensor, ranges, count, error);
    progress_end();
    return status;
}

/* `ranges` and `shape` have room for the tensor's rank. */
static int print_selection(const struct args *args, const sft_model *model,
                           const struct selection *selection, sft_range *ranges, uint64_t *shape) {
    const char *path = args->operands[0];
    const sft_tensor *tensor = selection->place.tensor;
    uint32_t count = 0;
    uint32_t rank;
    uint64_t bytes;
    sft_error error;
    sft_status status = SFT_OK;
    if (selection->slice != NULL) {
        status = sft_slice_parse(selection->slice, strlen(selection->slice), tensor->rank, ranges,
                                 &count, &error);
    }
    if (status == SFT_OK) {
        status = sft_slice_shape(tensor, ranges, count, shape, &rank, &bytes, &error);
    }
    if (status != SFT_OK) {
        report_slice(&error, path, tensor);
        return exit_for(status);
    }
    if (args->seen[OPTION_NPY]) {
        if (npy_descr(tensor->dtype) == NULL) {
            return refuse_npy(path, tensor);
        }
        print_npy_header(path, tensor, shape, rank);
    }
    status = copy_out(selection, ranges, count, bytes, &error);
    if (status != SFT_OK) {
        input_error_file(&error, sft_model_shard_path(model, selection->place.shard));
        message_error(&error);
    }
    return exit_for(status);
}

static int print_tensor(const struct args *args, const sft_model *model) {
    const char *path = args->operands[0];
    const char *wanted = args->operands[1];
    struct selection selection;
    if (!find_tensor(model, wanted, &selection)) {
        sft_error error;
        input_error(&error, SFT_NOT_FOUND, path, "no tensor has this name; sft ls lists them");
        input_error_tensor(&error, wanted, strlen(wanted));
        message_error(&error);
        return EXIT_NO;
    }
    sft_range *ranges = memory_take(selection.place.tensor->rank, sizeof *ranges);
    uint64_t *shape = memory_take(selection.place.tensor->rank, sizeof *shape);
    int code = print_selection(args, model, &selection, ranges, shape);
    free(ranges);
    free(shape);
    return code;
}

static int run_cat(const struct args *args) {
    int code = args_expect(args, 2, 2, "a FILE and a NAME");
    if (code != EXIT_FINE) {
        return code;
    }
    sft_model *model;
    code = input_open(args->operands[0], &model);
    if (code != EXIT_FINE) {
        return code;
    }
    if (output_is_terminal() && !args->seen[OPTION_FORCE]) {
        message_line("standard output", "TERMINAL",
                     "a terminal can't show raw bytes; redirect them to a file, or insist with -f");
        code = EXIT_TROUBLE;
    } else {
        code = print_tensor(args, model);
    }
    sft_model_close(model);
    return code;
}

static const struct option_spec options[] = {
    {"npy", OPTION_NPY, '\0', false}, {"force", OPTION_FORCE, 'f', false}, {NULL, 0, '\0', false}};

const struct command command_cat = {
    .name = "cat",
    .summary = "the bytes of a tensor, or of a slice of it",
    .help = "Usage: sft cat [--npy] [-f] FILE NAME[SLICE]\n"
            "\n"
            "Writes the bytes of a tensor to standard output, little-endian, row after row.\n"
            "A SLICE is as in NumPy: integers and ranges start:stop:step in brackets, steps\n"
            "of 1 or more. A tensor of exactly the given name comes first.\n"
            "\n"
            "  --npy        with the header of a .npy file; BF16 and F8 types become void\n"
            "               types of their width, F4 and F6 are refused\n"
            "  -f, --force  also to a terminal\n"
            "\n"
            "Exit status 1: no such tensor, an index out of range, a slice that cuts a byte.\n"
            "\n"
            "Example: sft cat --npy model.safetensors 'w[0:2,-1]' > part.npy\n",
    .options = options,
    .run = run_cat,
};
