#ifndef SKEIN_TESTS_UNIT_NET_KEY_EXAMPLES_H
#define SKEIN_TESTS_UNIT_NET_KEY_EXAMPLES_H

/* Keys and signatures that others made: the examples of RFC 7515 (appendices A.2 and A.3) and RFC 8037 (appendix A.4). */

#define PAYLOAD_7515 \
	"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

#define RS256_N \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-" \
	"pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2Ca" \
	"pHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb5" \
	"4h4FRWyuXpoQ"
#define RS256_MEMBERS "\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RS256_N "\""
#define RS256_TEXT "eyJhbGciOiJSUzI1NiJ9." PAYLOAD_7515
#define RS256_SIGNATURE \
	"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr" \
	"7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--x" \
	"i12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_Ioy" \
	"pGlUPQGe77Rw"

#define ES256_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define ES256_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define ES256_D "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
#define ES256_MEMBERS "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" ES256_X "\",\"y\":\"" ES256_Y "\""
#define ES256_TEXT "eyJhbGciOiJFUzI1NiJ9." PAYLOAD_7515
#define ES256_SIGNATURE "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

#define EDDSA_X "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define EDDSA_D "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
#define EDDSA_MEMBERS "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" EDDSA_X "\""
#define EDDSA_TEXT "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
#define EDDSA_SIGNATURE "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"

/* The secret of RFC 7515 appendix A.1. */
#define HS256_K "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
#define HS256_MEMBERS "\"kty\":\"oct\",\"k\":\"" HS256_K "\""

/* An RSA pair of 2048 bits of this test's own, and a public half of 1024 bits. */
#define RSA_PAIR_N \
	"njdxW7qv_2NITxq4PigoxVAutzuFxr36osS8aov5dBcufvg6QQUiq2JWlrHMo5-8UENVilT9QLvoLoDQQ-LpQK9tJJLQAs0AUUWWPvVJ1kBlUd" \
	"4FIgE3EIdBK8dMMrRf6ooWrOrrerHwg2kHhlc_boCmTnh6Bh6zs1XgUPDGxSYKw9fNTHtTVIfrwqugnDls4aUrrSz_GrK1s6_hKlT5wO3P7XUT" \
	"s_OOlcRxgxJHMfiNyjeuIkzhlNHOTbOG-Yd0jGvxhkcA0D6yV7SVdmK1kTueA8UHv7zwOfHQiXEuImApJ661wINMx6kUREm4nsUGBM-V7d98xL" \
	"6Mrefejhwljw"
#define RSA_PAIR_D \
	"D6kfQFwnRZk3NBVJ_WUOPBGmvh5XLIfrgicFG2rFg1c0E_9QDNWMS_iM55er0Npj0nIHyoyFEN5Iqim387BHNE7o98DMdCqEiIbhy1OOPnXbUZ" \
	"IvYeFK6QjqS4ILqc0u3VFT00PhkSCB1RAVXZfPQIndbFECiw6I7QxoCrr6gdMNUDSm2R5xEnOhqCxj-x3NWMKAdP097dDVxMfx5FTR19w7ji37" \
	"tf8DTdHyucLX0vYmdhCJxSOVS9iiHYF4eVY0YeYK1ay0IuIxep07LanJ7JBT7qZOSA3fpTV3OGrppIomDVAo993XrN7Db6pRRn4ZHZGfCOSw_A" \
	"1t7yWzdPX7qQ"
#define RSA_PAIR_P \
	"yWLdNzuWRUJxoUOvyUJj_sqJ6e0fzwt7lcq_46RC6o_HcdeccQtVNkA36S26IlijFAUFh5OhPyXqENBamPsoVDejx7iukAl3ijQ5KVJcsFGtUI" \
	"kdLb-qGGg3w4Gc0gVyvK8lyjIp1Rw_LNidVUBPRtJJpl8KTYRysO8KoMu55b0"
#define RSA_PAIR_Q \
	"yR-Mt7KvD7FfpkGn0TbMdBsjQmbWGZAc0aEgB8X5ML-mVNWoQeUWa7elNxbj-sndfWR4hUhVHP1zSOiqQ8uECSl5Pyn_cqXF_3-uLkQb0hbwHP" \
	"q0mduaaYPwkpRu0VdhlL6xUdgxeDGmvqNJiMm1BbtaiqEdfJICTIJ1vnaYrzs"
#define RSA_PAIR_DP \
	"pv6lZCy0QoCDi29-cEzucJTxYhqw2taxx5fWIWXP24QYpg1d-9ui8Ja2BlVV2S9ZI7u6Rx-jgaLmAsVTqzHx0kxFMtOxZV2EVAVUNTDIDandJ0" \
	"BcAtjBqvWY8DUlnn7IEzDGDHImgEKpHH4PkWb_lkHAswZym68uEAxY6telMp0"
#define RSA_PAIR_DQ \
	"NX_P9blxOdJr6BTE6DEUd7oUSgCC6S_diqG6nHa8D4ybWSuwYz7mFOc36oyLPlXeNhG4wXN5OInu1bEWQYxsZeeDWhr42W1hWtKC6cmyQNNbMc" \
	"o6qkaxL2oqX0Neqw78ZQ3Iq0W_-wHyIfnbgKhvH8QzlHbBGjbYp7N4UJ7JhKs"
#define RSA_PAIR_QI \
	"B6zo38E9vSaHjg4X1vHPWC5z4UuxuvunrBC7vXsmRlq8OeHUDwmvzV9MojCJofsrt6KbjHtz7ANLgI1Cmd0NdnvPFKfAdqa-lzURg87xUcQKqD" \
	"yMCcQ2ewzb1kd17_5bvsDfjlMDYZYYPX5QsYThm4Ndn5iINsCBLhTm_OQtXoc"
#define RSA_PAIR_MEMBERS "\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"" RSA_PAIR_N "\",\"d\":\"" RSA_PAIR_D "\""
#define RSA_PAIR_REST \
	"\"p\":\"" RSA_PAIR_P "\",\"q\":\"" RSA_PAIR_Q "\",\"dp\":\"" RSA_PAIR_DP "\",\"dq\":\"" RSA_PAIR_DQ "\",\"qi\":\"" RSA_PAIR_QI "\""
#define RSA_SMALL_N \
	"xCu9qCCr9XX0JiR61ssBC8puJPpilb6KM9WjrTkDIRTuDKNpDa4z4vL9IqJpDPpiz4TqDRPPagYzbSvcX6scgXwHHC7YD6A9bxtAQUqoC5CXkY" \
	"DjvCPWnYVXRQB15tnecEewLXXTtFsYUM4i4Jcps5vwnQbgLiglUACfIkNqp3E"

#endif
