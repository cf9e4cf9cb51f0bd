"""Merkle trees: the roots that others publish, and proofs that hold for their leaf alone."""

import hashlib

import pytest

from gateway.audit.merkle import Frontier, MerkleTree, root_of_proof

# Those of the reference implementation of Certificate Transparency.
INPUTS = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
LEAVES = [hashlib.sha256(b"\0" + bytes.fromhex(text)).digest() for text in INPUTS]


@pytest.mark.parametrize("size", range(9))
def test_the_root_is_that_of_the_reference_implementation(size: int) -> None:
    frontier = Frontier()
    for leaf in LEAVES[:size]:
        frontier.append(leaf)
    assert frontier.root().hex() == MerkleTree(LEAVES[:size]).root().hex() == ROOTS[size]


def test_every_proof_leads_to_the_root_from_its_own_place_in_its_own_tree_only() -> None:
    for size in range(1, 9):
        tree = MerkleTree(LEAVES[:size])
        for index in range(size):
            proof = tree.proof(index)
            leads = {
                (leaf, at, of)
                for leaf in range(8)
                for at in range(-1, 9)
                for of in range(9)
                if root_of_proof(LEAVES[leaf], at, of, proof) == tree.root()
            }
            assert (index, index, size) in leads
            assert {leaf for leaf, _, _ in leads} == {index}


def test_a_proof_that_is_cut_or_longer_leads_nowhere() -> None:
    tree = MerkleTree(LEAVES)
    proof = tree.proof(3)
    for other in (proof[:-1], [*proof, proof[0]], proof[::-1], []):
        assert root_of_proof(LEAVES[3], 3, 8, other) != tree.root()
