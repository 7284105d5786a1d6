"""Numbers of India's states in the fourth National Family Health Survey (2015-16), which the paper's cluster ids contain."""

import re

# in alphabetical order, as in the survey's recode manual (v024); states renamed or merged since have their present name
STATES = {
    1: "Andaman and Nicobar Islands",
    2: "Andhra Pradesh",
    3: "Arunachal Pradesh",
    4: "Assam",
    5: "Bihar",
    6: "Chandigarh",
    7: "Chhattisgarh",
    8: "Dadra & Nagar Haveli & Daman & Diu",
    9: "Dadra & Nagar Haveli & Daman & Diu",
    10: "Goa",
    11: "Gujarat",
    12: "Haryana",
    13: "Himachal Pradesh",
    14: "Jammu and Kashmir",
    15: "Jharkhand",
    16: "Karnataka",
    17: "Kerala",
    18: "Lakshadweep",
    19: "Madhya Pradesh",
    20: "Maharashtra",
    21: "Manipur",
    22: "Meghalaya",
    23: "Mizoram",
    24: "Nagaland",
    25: "Delhi",
    26: "Odisha",
    27: "Puducherry",
    28: "Punjab",
    29: "Rajasthan",
    30: "Sikkim",
    31: "Tamil Nadu",
    32: "Tripura",
    33: "Uttar Pradesh",
    34: "Uttarakhand",
    35: "West Bengal",
    36: "Telangana",
}


def state_of_cluster(unique_cluster: str) -> str | None:
    """Return the state of an Indian cluster of the paper: the digits before the last four of its id are the state's number.

    Returns
    -------
    str or None
        None where the cluster is in another country or its id has another form.

    Examples
    --------
    >>> state_of_cluster("ia_50383"), state_of_cluster("ke_12")
    ('Bihar', None)
    """
    matched = re.fullmatch(r"ia_(\d{1,2})\d{4}", unique_cluster, re.ASCII)
    return STATES.get(int(matched[1])) if matched else None
