#include "rpc/server/reflection.h"

#include <grpc/status.h>

#include "rpc/protobuf_wire.h"

/* Field numbers of google/protobuf/descriptor.proto. */
#define SET_FILE 1
#define FILE_NAME 1
#define FILE_PACKAGE 2
#define FILE_MESSAGE 4
#define FILE_ENUM 5
#define FILE_SERVICE 6
#define DECLARATION_NAME 1

/* Field numbers of grpc/reflection/v1alpha/reflection.proto. */
#define REQUEST_HOST 1
#define REQUEST_FILE_BY_FILENAME 3
#define REQUEST_FILE_CONTAINING_SYMBOL 4
#define REQUEST_LIST_SERVICES 7
#define RESPONSE_VALID_HOST 1
#define RESPONSE_ORIGINAL_REQUEST 2
#define RESPONSE_FILES 4
#define RESPONSE_SERVICES 6
#define RESPONSE_ERROR 7
#define FILES_FILE 1
#define SERVICES_SERVICE 1
#define SERVICE_NAME 1
#define ERROR_CODE 1
#define ERROR_MESSAGE 2

/* The next field of that number; false at the end. */
static bool reflection_next(struct str *rest, uint32_t number, struct str *out)
{
	struct wire_field field;

	while (wire_next(rest, &field)) {
		if (field.number == number && field.type == WIRE_BYTES) {
			*out = field.bytes;
			return true;
		}
	}
	return false;
}

err_t reflection_check(struct str descriptor_set)
{
	struct str rest = descriptor_set, file;

	while (reflection_next(&rest, SET_FILE, &file))
		if (!wire_is_valid(file) || wire_find(file, FILE_NAME).len == 0)
			return ERR_INVALID_ARGUMENT;
	return rest.len == 0 ? OK : ERR_INVALID_ARGUMENT;
}

/* `symbol` is the full name `package.name`, or the name of a part of it. */
static bool reflection_is_within(struct str symbol, struct str package, struct str name)
{
	if (package.len > 0) {
		if (!str_starts_with(symbol, package) || symbol.len == package.len || symbol.ptr[package.len] != '.')
			return false;
		symbol = str_of(symbol.ptr + package.len + 1, symbol.len - package.len - 1);
	}
	return str_starts_with(symbol, name) && (symbol.len == name.len || symbol.ptr[name.len] == '.');
}

static bool reflection_declares(struct str file, struct str symbol)
{
	struct str package = wire_find(file, FILE_PACKAGE);
	struct wire_field field;

	while (wire_next(&file, &field)) {
		bool is_declaration = field.number == FILE_MESSAGE || field.number == FILE_ENUM || field.number == FILE_SERVICE;

		if (is_declaration && field.type == WIRE_BYTES &&
		    reflection_is_within(symbol, package, wire_find(field.bytes, DECLARATION_NAME)))
			return true;
	}
	return false;
}

static bool reflection_is_named(struct str file, struct str name)
{
	return str_equal(wire_find(file, FILE_NAME), name);
}

static void reflection_put_error(struct buf *response, int status, const char *sentence)
{
	struct buf error = { 0 };

	wire_put_varint(&error, ERROR_CODE, (uint64_t)status);
	wire_put_bytes(&error, ERROR_MESSAGE, str_from(sentence));
	wire_put_bytes(response, RESPONSE_ERROR, buf_str(&error));
	buf_release(&error);
}

static void reflection_put_file(struct buf *response, struct str set, struct str wanted,
                                bool (*matches)(struct str, struct str))
{
	struct buf files = { 0 };
	struct str file;

	while (reflection_next(&set, SET_FILE, &file)) {
		if (!matches(file, wanted))
			continue;
		wire_put_bytes(&files, FILES_FILE, file);
		wire_put_bytes(response, RESPONSE_FILES, buf_str(&files));
		buf_release(&files);
		return;
	}
	reflection_put_error(response, GRPC_STATUS_NOT_FOUND, "no file of this server has it");
}

static void reflection_put_services(struct buf *response, struct str set)
{
	struct buf services = { 0 }, name = { 0 }, service = { 0 };
	struct str file, declared;

	while (reflection_next(&set, SET_FILE, &file)) {
		struct str package = wire_find(file, FILE_PACKAGE);

		while (reflection_next(&file, FILE_SERVICE, &declared)) {
			buf_clear(&name);
			buf_clear(&service);
			buf_append_str(&name, package);
			if (package.len > 0)
				buf_append_char(&name, '.');
			buf_append_str(&name, wire_find(declared, DECLARATION_NAME));
			wire_put_bytes(&service, SERVICE_NAME, buf_str(&name));
			wire_put_bytes(&services, SERVICES_SERVICE, buf_str(&service));
		}
	}
	wire_put_bytes(response, RESPONSE_SERVICES, buf_str(&services));
	buf_release(&services);
	buf_release(&name);
	buf_release(&service);
}

/* Finds the last of the request's alternatives, as protobuf reads a oneof. */
static bool reflection_find_question(struct str request, struct wire_field *question)
{
	struct wire_field field;

	*question = (struct wire_field){ 0 };
	while (wire_next(&request, &field))
		if (field.number >= REQUEST_FILE_BY_FILENAME && field.number <= REQUEST_LIST_SERVICES)
			*question = field;
	return request.len == 0 && question->number != 0 && question->type == WIRE_BYTES;
}

err_t reflection_answer(struct buf *response, struct str descriptor_set, struct str request)
{
	struct wire_field question;

	if (!reflection_find_question(request, &question))
		return ERR_INVALID_ARGUMENT;
	wire_put_bytes(response, RESPONSE_VALID_HOST, wire_find(request, REQUEST_HOST));
	wire_put_bytes(response, RESPONSE_ORIGINAL_REQUEST, request);
	switch (question.number) {
	case REQUEST_FILE_BY_FILENAME:
		reflection_put_file(response, descriptor_set, question.bytes, reflection_is_named);
		break;
	case REQUEST_FILE_CONTAINING_SYMBOL:
		reflection_put_file(response, descriptor_set, question.bytes, reflection_declares);
		break;
	case REQUEST_LIST_SERVICES:
		reflection_put_services(response, descriptor_set);
		break;
	default:
		reflection_put_error(response, GRPC_STATUS_UNIMPLEMENTED, "extensions are not used here");
	}
	return OK;
}
