/* The statuses in words: one row each, in the order of sft/base.h. */
#include <sft/base.h>

const char *sft_version(void) {
    return SFT_VERSION_STRING;
}

typedef struct row {
    sft_status status;
    const char *name;
    const char *kind; /* the Rust implementation's, or NULL */
    const char *text;
} row;

#define ROW(name, kind, text)                                                                      \
    { SFT_##name, #name, kind, text }
#define JSON_KIND "InvalidHeaderDeserialization"

static const row rows[] = {
    ROW(OK, NULL, "success"),
    ROW(NO_MEMORY, NULL, "not enough memory"),
    ROW(INVALID_ARGUMENT, NULL, "invalid argument"),
    ROW(NOT_FOUND, NULL, "nothing of that name"),
    ROW(BUFFER_SIZE, NULL, "the buffer does not have the right size"),
    ROW(UNSUPPORTED, NULL, "not supported"),
    ROW(CANCELLED, NULL, "cancelled"),
    ROW(OPEN_FAILED, NULL, "cannot open the file"),
    ROW(READ_FAILED, NULL, "cannot read the file"),
    ROW(WRITE_FAILED, NULL, "cannot write the file"),
    ROW(MAP_FAILED, NULL, "cannot map the file into memory"),
    ROW(FILE_SHRANK, NULL, "the file became shorter while it was read"),
    ROW(NOT_A_FILE, NULL, "not a regular file"),
    ROW(ALREADY_EXISTS, NULL, "the target exists"),
    ROW(HEADER_TOO_SMALL, "HeaderTooSmall", "the file is too short to hold a header"),
    ROW(HEADER_TOO_LARGE, "HeaderTooLarge", "the header's length is beyond the limit"),
    ROW(INVALID_HEADER_LENGTH, "InvalidHeaderLength", "the header would end after the file"),
    ROW(HEADER_EMPTY, JSON_KIND, "the header's length is zero"),
    ROW(INVALID_UTF8, "InvalidHeader", "the header is not UTF-8"),
    ROW(BYTE_ORDER_MARK, JSON_KIND, "the header begins with a byte order mark"),
    ROW(INVALID_JSON, JSON_KIND, "the header is not JSON"),
    ROW(HEADER_NOT_OBJECT, JSON_KIND, "the header is not a JSON object"),
    ROW(TRAILING_TEXT, JSON_KIND, "something stands behind the header's object"),
    ROW(NESTED_TOO_DEEP, JSON_KIND, "the header's JSON is nested too deep"),
    ROW(DUPLICATE_KEY, JSON_KIND, "a key stands twice in one object"),
    ROW(INVALID_METADATA, JSON_KIND, "__metadata__ is not an object of strings"),
    ROW(TENSOR_NOT_OBJECT, JSON_KIND, "a tensor's description is not an object"),
    ROW(MISSING_FIELD, JSON_KIND, "a tensor lacks dtype, shape or data_offsets"),
    ROW(UNKNOWN_DTYPE, JSON_KIND, "an unknown dtype"),
    ROW(INVALID_DTYPE, JSON_KIND, "dtype is not a string"),
    ROW(INVALID_SHAPE, JSON_KIND, "shape is not an array of sizes"),
    ROW(INVALID_OFFSETS, JSON_KIND, "data_offsets is not an array of two offsets"),
    ROW(OFFSETS_REVERSED, "InvalidOffset", "a tensor ends before it begins"),
    ROW(SIZE_OVERFLOW, "ValidationOverflow", "a tensor's size does not fit in 64 bits"),
    ROW(SIZE_MISMATCH, "TensorInvalidInfo", "a tensor's offsets and shape disagree"),
    ROW(PARTIAL_BYTE, "MisalignedSlice", "a tensor's elements do not fill whole bytes"),
    ROW(HOLE, "InvalidOffset", "some bytes of the data belong to no tensor"),
    ROW(OVERLAP, "InvalidOffset", "some bytes of the data belong to two tensors"),
    ROW(TRAILING_DATA, "MetadataIncompleteBuffer", "bytes follow the last tensor"),
    ROW(TRUNCATED_DATA, "MetadataIncompleteBuffer", "the file ends before its last tensor"),
    ROW(TOO_MANY_TENSORS, NULL, "more tensors than the limit allows"),
    ROW(RANK_TOO_LARGE, NULL, "a tensor has more dimensions than the limit allows"),
    ROW(MEMORY_LIMIT, NULL, "the header needs more memory than the limit allows"),
    ROW(SLICE_SYNTAX, NULL, "not a slice"),
    ROW(SLICE_STEP, NULL, "a step below 1"),
    ROW(SLICE_RANK, NULL, "more ranges than dimensions"),
    ROW(INDEX_OUT_OF_RANGE, NULL, "an index outside its dimension"),
    ROW(SLICE_PARTIAL_BYTE, "MisalignedSlice", "the slice does not fall on whole bytes"),
    ROW(INVALID_NAME, NULL, "a name that is not UTF-8"),
    ROW(RESERVED_NAME, NULL, "the name __metadata__ is reserved"),
    ROW(DUPLICATE_NAME, NULL, "a name is used twice"),
    ROW(INCOMPLETE, NULL, "not every byte was delivered"),
    ROW(OUT_OF_BOUNDS, NULL, "bytes outside the tensor"),
    ROW(WRONG_STATE, NULL, "a call out of order"),
    ROW(INVALID_INDEX, NULL, "not an index of shards"),
    ROW(UNSAFE_SHARD_NAME, NULL, "a shard's name leads out of the folder"),
    ROW(MISSING_SHARD, NULL, "a shard is missing"),
    ROW(TENSOR_NOT_IN_SHARD, NULL, "the index names a tensor its shard does not hold"),
    ROW(TENSOR_NOT_IN_INDEX, NULL, "a shard holds a tensor the index does not name"),
    ROW(TENSOR_IN_TWO_SHARDS, NULL, "two shards hold a tensor of one name"),
    ROW(WRONG_TOTAL_SIZE, NULL, "total_size is not the sum of the tensors"),
    ROW(NO_SHARDS, NULL, "no .safetensors file in the folder"),
    ROW(AMBIGUOUS_FOLDER, NULL, "several index files in the folder"),
    ROW(DANGEROUS_SOURCE, NULL, "loading the checkpoint would run code"),
    ROW(UNVOUCHED_SOURCE, NULL, "the checkpoint holds what nobody can vouch for"),
    ROW(MALFORMED_SOURCE, NULL, "the checkpoint cannot be parsed"),
    ROW(UNSUPPORTED_SOURCE, NULL, "not a kind of checkpoint that can be read"),
    ROW(SOURCE_LIMIT, NULL, "the checkpoint needs more than the limits allow"),
    ROW(UNSUPPORTED_TENSOR, NULL, "a tensor of a kind that safetensors does not have"),
    ROW(TENSOR_BOUNDS, NULL, "a tensor reaches beyond its storage"),
    ROW(STORAGE_SIZE, NULL, "a storage does not have the size it declares"),
    ROW(MISSING_STORAGE, NULL, "a storage is missing"),
    ROW(VERIFY_FAILED, NULL, "the new file differs from its source"),
};

static const row *find(sft_status status) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].status == status) {
            return &rows[i];
        }
    }
    return NULL;
}

const char *sft_status_name(sft_status status) {
    const row *found = find(status);
    return found != NULL ? found->name : "UNKNOWN_STATUS";
}

const char *sft_status_text(sft_status status) {
    const row *found = find(status);
    return found != NULL ? found->text : "unknown status";
}

const char *sft_status_kind(sft_status status) {
    const row *found = find(status);
    return found != NULL ? found->kind : NULL;
}

bool sft_status_is_defect(sft_status status) {
    return (status >= SFT_HEADER_TOO_SMALL && status <= SFT_MEMORY_LIMIT) ||
           (status >= SFT_INVALID_INDEX && status <= SFT_WRONG_TOTAL_SIZE);
}
