"""Keys of tokens in a file: RS256, ES256, EdDSA and HS256, several by `kid`, changed while im and a gateway run."""
import json
import pathlib
import sys
import time
import unittest

import jwt
import pytest
import websockets
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import HMACAlgorithm, OKPAlgorithm, RSAAlgorithm

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from gateway_fixture import scenario
from im_cluster import Im, Servers, await_that, run_im, token

SERVERS = None
HMAC_SECRET = b"a secret of the test, of 32 bytes or more"

# Each algorithm with the keys that PyJWT signs with, and its way to write them as a JWK.
PAIRS = {
    "RS256": (rsa.generate_private_key(65537, 2048), RSAAlgorithm),
    "ES256": (ec.generate_private_key(ec.SECP256R1()), None),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm),
    "HS256": (HMAC_SECRET, HMACAlgorithm),
}


def setUpModule():
    global SERVERS
    SERVERS = Servers()
    code, output = run_im(SERVERS, "--migrate")
    assert code == 0, output


def tearDownModule():
    SERVERS.close()


def base64url(number):
    return jwt.utils.base64url_encode(number.to_bytes(32, "big")).decode()


def jwk(alg, kid=None, private=False):
    """The key of an algorithm as a JWK; that of HS256 is always private."""
    key, algorithm = PAIRS[alg]
    if alg == "ES256":
        numbers = key.private_numbers()
        made = {"kty": "EC", "crv": "P-256", "x": base64url(numbers.public_numbers.x), "y": base64url(numbers.public_numbers.y)}
        made |= {"d": base64url(numbers.private_value)} if private else {}
    else:
        made = json.loads(algorithm.to_jwk(key if private or alg == "HS256" else key.public_key()))
    made.pop("key_ops", None)
    return {**made, "use": "sig", **({"kid": kid} if kid else {})}


def write_keys(path, *keys):
    path.write_text(json.dumps({"keys": keys}))


def signed(alg, uid, kid=None, **claims):
    claims = {"sub": uid, "iat": int(time.time()), "exp": int(time.time()) + 600, **claims}
    return jwt.encode(claims, PAIRS[alg][0], algorithm=alg, headers={"kid": kid} if kid else None)


def all_public():
    return [jwk(alg, f"{alg}-1") for alg in PAIRS]


class KeysOfTokens(unittest.TestCase):
    def start(self, *keys, **options):
        self.path = SERVERS.folder / "keys.json"
        write_keys(self.path, *keys)
        im = Im(SERVERS, auth__jwks=self.path, **{"auth__secret": "", **options})
        self.addCleanup(im.kill)
        return im

    def status(self, im, bearer):
        return im.client().get("/v1/friends", Authorization=f"Bearer {bearer}").status

    def test_each_algorithm_is_verified_by_the_key_that_the_token_names(self):
        im = self.start(*all_public())
        for alg in PAIRS:
            with self.subTest(alg=alg):
                self.assertEqual(self.status(im, signed(alg, "keys-a", f"{alg}-1")), 200)
                self.assertEqual(self.status(im, signed(alg, "keys-a")), 200)  # the only key of its algorithm
                self.assertEqual(self.status(im, signed(alg, "keys-a", "unknown")), 401)
                self.assertEqual(self.status(im, signed(alg, "keys-a", f"{alg}-1", exp=int(time.time()) - 1)), 401)
        self.assertEqual(self.status(im, signed("RS256", "keys-a", "ES256-1")), 401)
        self.assertEqual(self.status(im, token("keys-a")), 401)  # that secret is not configured
        unsigned = jwt.encode({"sub": "keys-a", "exp": int(time.time()) + 600}, None, algorithm="none")
        self.assertEqual(self.status(im, unsigned), 401)
        for alg, key in ("RS384", PAIRS["RS256"][0]), ("PS256", PAIRS["RS256"][0]), ("HS512", HMAC_SECRET):
            other = jwt.encode({"sub": "keys-a", "exp": int(time.time()) + 600}, key, algorithm=alg)
            self.assertEqual(self.status(im, other), 401, alg)

    def test_the_secret_is_a_key_beside_those_of_the_file(self):
        im = self.start(jwk("RS256", "RS256-1"), auth__secret="0123456789abcdef0123456789abcdef")
        self.assertEqual(self.status(im, token("keys-a")), 200)
        self.assertEqual(self.status(im, signed("RS256", "keys-a", "RS256-1")), 200)
        refreshed = im.client().post("/v1/auth/refresh", Authorization=f"Bearer {signed('RS256', 'keys-a', 'RS256-1')}")
        self.assertEqual(jwt.get_unverified_header(refreshed.json["token"])["alg"], "HS256")

    def test_keys_come_and_go_while_im_runs(self):
        im = self.start(jwk("RS256", "RS256-1"))
        old, new = signed("RS256", "keys-a", "RS256-1"), signed("EdDSA", "keys-a", "EdDSA-1")
        self.assertEqual((self.status(im, old), self.status(im, new)), (200, 401))
        write_keys(self.path, jwk("RS256", "RS256-1"), jwk("EdDSA", "EdDSA-1"))
        await_that(lambda: self.status(im, new) == 200, "the new key counts")
        self.assertEqual(self.status(im, old), 200)
        self.path.write_text("{")  # half of it
        await_that(lambda: im.metric('skein_auth_key_files_total{outcome="refused"}') == 1, "the broken file is seen")
        self.assertEqual((self.status(im, old), self.status(im, new)), (200, 200))
        replaced = self.path.with_suffix(".new")
        write_keys(replaced, jwk("EdDSA", "EdDSA-1"))
        replaced.rename(self.path)
        await_that(lambda: self.status(im, old) == 401, "the old key is gone, for tokens that were seen before too")
        self.assertEqual(self.status(im, new), 200)
        self.assertEqual(im.metric("skein_auth_keys"), 1)

    def test_the_last_key_of_the_file_can_be_taken_away_where_there_is_a_secret(self):
        im = self.start(jwk("RS256", "RS256-1"), auth__secret="0123456789abcdef0123456789abcdef")
        leaked = signed("RS256", "keys-a", "RS256-1")
        self.assertEqual(self.status(im, leaked), 200)
        write_keys(self.path)
        await_that(lambda: self.status(im, leaked) == 401, "the key is gone")
        self.assertEqual(self.status(im, token("keys-a")), 200)

    def test_a_file_that_was_unreadable_is_read_when_it_can_be(self):
        im = self.start(jwk("RS256", "RS256-1"))
        self.path.unlink()
        self.path.mkdir()  # root reads files of any mode
        await_that(lambda: im.metric('skein_auth_key_files_total{outcome="refused"}') == 1, "the fault is seen")
        self.path.rmdir()
        write_keys(self.path, jwk("ES256", "ES256-1"))
        await_that(lambda: self.status(im, signed("ES256", "keys-a", "ES256-1")) == 200, "the new file counts")
        self.assertEqual(im.metric('skein_auth_key_files_total{outcome="refused"}'), 1)

    def test_with_public_keys_alone_no_token_is_made_here(self):
        im = self.start(*all_public()[:3])
        admin = signed("ES256", "keys-admin", "ES256-1", scope="admin")
        user = {"uid": "keys-user", "name": "x", "password": "password of the user"}
        calls = [
            ("/v1/auth/refresh", None, admin, 409, "failed_precondition"),
            ("/v1/auth/login", {"uid": "keys-user", "password": "password of the user"}, None, 409, "failed_precondition"),
            ("/v1/admin/users", {"uid": "keys-bot", "name": "x", "bot": True}, admin, 409, "failed_precondition"),
            ("/v1/users", user, None, 403, "permission_denied"),  # registration is off where the keys are another's
        ]
        for path, body, bearer, status, code in calls:
            with self.subTest(path=path):
                answer = im.client().post(path, body, **({"Authorization": f"Bearer {bearer}"} if bearer else {}))
                self.assertEqual((answer.status, answer.json["code"]), (status, code))
        self.assertEqual(SERVERS.sql("select count(*) from account where uid = 'keys-bot'"), [["0"]])

    def test_a_private_key_signs_what_others_verify(self):
        for number, alg in enumerate(PAIRS):
            with self.subTest(alg=alg):
                verifies_only = jwk("ES256" if alg == "RS256" else "RS256", "another's")
                im = self.start(verifies_only, jwk(alg, "mine", private=True), auth__registration="on")
                user = {"uid": f"keys-{number}", "password": "password of the user"}
                self.assertEqual(im.client().post("/v1/users", {**user, "name": "x"}).status, 201)
                made = im.client().post("/v1/auth/login", user).json["token"]
                again = im.client().post("/v1/auth/refresh", Authorization=f"Bearer {made}").json["token"]
                key = PAIRS[alg][0]
                for text in made, again:
                    self.assertEqual(jwt.get_unverified_header(text), {"alg": alg, "typ": "JWT", "kid": "mine"})
                    verified = jwt.decode(text, key if alg == "HS256" else key.public_key(), algorithms=[alg])
                    self.assertEqual(verified["sub"], user["uid"])
                self.assertEqual(self.status(im, again), 200)
                im.kill()

    def test_im_does_not_start_without_a_key_and_says_why(self):
        path = SERVERS.folder / "bad.json"
        for content, reason in ("{}", "no JWK set"), ('{"keys":[1]}', "no key for tokens"), ('{"keys":[]}', "there is no auth.secret"), (None, "No such file"):
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_text(content)
            code, output = run_im(SERVERS, **{"auth.jwks": str(path), "auth.secret": ""})
            self.assertEqual(code, 1)
            self.assertIn(reason, output)
        code, output = run_im(SERVERS, **{"auth.secret": ""})
        self.assertEqual(code, 1)
        self.assertIn("auth.secret or auth.jwks must be given", output)


@pytest.fixture
def keys_file(tmp_path):
    return tmp_path / "keys.json"


def test_a_gateway_takes_tokens_of_the_keys_in_its_file(keys_file):
    write_keys(keys_file, *all_public()[:3])

    async def let_in(g):
        for alg in "RS256", "ES256", "EdDSA":
            client = await g.connect(token=signed(alg, "alice", f"{alg}-1"), device=alg)
            assert client.hello["uid"] == "alice"
        for bad in token("alice"), signed("HS256", "alice"), signed("RS256", "alice", "ES256-1"):
            with pytest.raises(websockets.InvalidStatusCode) as refused:
                await g.connect(token=bad)
            assert refused.value.status_code == 401
        write_keys(keys_file, jwk("EdDSA", "EdDSA-1"), jwk("HS256", "HS256-1"))

        async def new_key_counts():
            return await accepts(g, signed("HS256", "alice", "HS256-1"))
        await g.becomes(new_key_counts)
        assert not await accepts(g, signed("RS256", "alice", "RS256-1"))

    scenario(auth_secret="", auth_jwks=keys_file)(let_in)()


async def accepts(g, bearer):
    try:
        client = await g.connect(token=bearer, device="probe")
    except websockets.InvalidStatusCode:
        return False
    await client.ws.close()
    return True
