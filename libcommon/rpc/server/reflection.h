#ifndef SKEIN_RPC_SERVER_REFLECTION_H
#define SKEIN_RPC_SERVER_REFLECTION_H

#include "base/text/buf.h"
#include "base/error.h"
#include "base/text/str.h"

/*
 * Inside rpc/ only: what grpc.reflection.v1alpha.ServerReflection answers, from
 * a serialized google.protobuf.FileDescriptorSet. Knows list_services,
 * file_by_filename and file_containing_symbol; the two requests about
 * extensions get an error response, as the protocol has it. The set is walked
 * for each request: this is for people with grpcurl.
 */

/* A set that does not parse is ERR_INVALID_ARGUMENT: a broken build, found at start. */
err_t reflection_check(struct str descriptor_set) MUST_CHECK;

/* Appends a ServerReflectionResponse. ERR_INVALID_ARGUMENT when `request` is no ServerReflectionRequest. */
err_t reflection_answer(struct buf *response, struct str descriptor_set, struct str request) MUST_CHECK;

#endif
