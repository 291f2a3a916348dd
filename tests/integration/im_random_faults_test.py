"""The random operations of im_random_test.py, while ims are killed and drained and servers lost: each operation is done once or not at all."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from im_cluster import Servers
from random_rounds import Cluster, check

CLUSTER = None


def setUpModule():
    global CLUSTER
    CLUSTER = Cluster(Servers(), has_faults=True)


def tearDownModule():
    CLUSTER.close()


class RandomUnderFaults(unittest.TestCase):
    def test_what_users_see_is_what_the_model_says(self):
        check(self, CLUSTER, rounds=3)


if __name__ == "__main__":
    unittest.main()
