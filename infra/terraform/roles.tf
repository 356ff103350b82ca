# Who may do what. Workers run what the world sends them: they read and add objects, and neither
# delete any nor see the queue. The driver (on the head) commits, vacuums and holds the queue.
locals {
  here = aws_s3_bucket.this.arn

  profiles = {
    head    = data.aws_iam_policy_document.head.json
    worker  = data.aws_iam_policy_document.worker.json
    trainer = data.aws_iam_policy_document.trainer.json
  }
}

data "aws_iam_policy_document" "machines" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.profiles

  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.machines.json
}

resource "aws_iam_role_policy" "this" {
  for_each = local.profiles

  name   = "medpipe"
  role   = aws_iam_role.this[each.key].id
  policy = each.value
}

resource "aws_iam_instance_profile" "this" {
  for_each = local.profiles

  name = "${var.name}-${each.key}"
  role = aws_iam_role.this[each.key].name
}

data "aws_iam_policy_document" "worker" {
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"]
    resources = [local.here]
  }

  statement {
    sid       = "ReadAndAdd"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    resources = ["${local.here}/*"]
  }

  statement {
    sid       = "Encrypt"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.this.arn]
  }
}

data "aws_iam_policy_document" "trainer" {
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"]
    resources = [local.here]
  }

  statement {
    sid       = "ReadDatasets"
    actions   = ["s3:GetObject"]
    resources = ["${local.here}/*"]
  }

  statement {
    sid       = "WriteRunsAndDropOldCheckpoints"
    actions   = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    resources = ["${local.here}/${var.training_prefix}/*"]
  }

  statement {
    sid       = "Encrypt"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.this.arn]
  }
}

# What the job's driver does, on the head or in a pod.
data "aws_iam_policy_document" "driver" {
  source_policy_documents = [data.aws_iam_policy_document.worker.json]

  statement {
    sid       = "Vacuum"
    actions   = ["s3:DeleteObject"]
    resources = ["${local.here}/*"]
  }

  statement {
    sid = "Queue"
    actions = [
      "sqs:GetQueueUrl", "sqs:GetQueueAttributes", "sqs:SendMessage", "sqs:ReceiveMessage",
      "sqs:DeleteMessage", "sqs:ChangeMessageVisibility",
    ]
    resources = [for queue in aws_sqs_queue.items : queue.arn]
  }
}

# The head besides makes and ends Ray's nodes, in this network and with these roles only.
data "aws_iam_policy_document" "head" {
  #checkov:skip=CKV_AWS_356:EC2's Describe actions know no resources.
  source_policy_documents = [data.aws_iam_policy_document.driver.json]

  statement {
    sid = "Look"
    actions = [
      "ec2:DescribeInstances", "ec2:DescribeInstanceStatus", "ec2:DescribeInstanceTypes",
      "ec2:DescribeImages", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups",
      "ec2:DescribeKeyPairs", "ec2:DescribeAvailabilityZones", "ec2:DescribeLaunchTemplateVersions",
    ]
    resources = ["*"]
  }

  statement {
    sid     = "StartNodesHere"
    actions = ["ec2:RunInstances"]
    resources = concat(
      [for subnet in aws_subnet.private : subnet.arn],
      [
        aws_security_group.ray.arn,
        "arn:aws:ec2:${var.region}:${local.account}:instance/*",
        "arn:aws:ec2:${var.region}:${local.account}:volume/*",
        "arn:aws:ec2:${var.region}:${local.account}:network-interface/*",
        "arn:aws:ec2:${var.region}:${local.account}:key-pair/*",
        "arn:aws:ec2:${var.region}:${local.account}:spot-instances-request/*",
      ],
    )
  }

  statement {
    sid       = "FromImagesOfAmazon"
    actions   = ["ec2:RunInstances"]
    resources = ["arn:aws:ec2:${var.region}::image/*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:Owner"
      values   = ["amazon"]
    }
  }

  statement {
    sid       = "TagNodesAsTheyStart"
    actions   = ["ec2:CreateTags"]
    resources = ["arn:aws:ec2:${var.region}:${local.account}:*/*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["RunInstances"]
    }
  }

  statement {
    sid       = "TagAndEndOwnNodes"
    actions   = ["ec2:CreateTags", "ec2:TerminateInstances"]
    resources = ["arn:aws:ec2:${var.region}:${local.account}:instance/*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:ResourceTag/ray-cluster-name"
      values   = [var.name]
    }
  }

  statement {
    sid       = "GiveNodesTheirRole"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.this["worker"].arn, aws_iam_role.this["trainer"].arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ec2.amazonaws.com"]
    }
  }
}

# KubeRay: pods of head and workers share one service account, so it may what the driver may.
data "aws_iam_policy_document" "pods" {
  count = var.oidc_provider_arn == null ? 0 : 1

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${split("oidc-provider/", var.oidc_provider_arn)[1]}:sub"
      values   = ["system:serviceaccount:${var.kubernetes_namespace}:medpipe"]
    }

    condition {
      test     = "StringEquals"
      variable = "${split("oidc-provider/", var.oidc_provider_arn)[1]}:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "pods" {
  count = var.oidc_provider_arn == null ? 0 : 1

  name               = "${var.name}-kubernetes"
  assume_role_policy = data.aws_iam_policy_document.pods[0].json
}

resource "aws_iam_role_policy" "pods" {
  count = var.oidc_provider_arn == null ? 0 : 1

  name   = "medpipe"
  role   = aws_iam_role.pods[0].id
  policy = data.aws_iam_policy_document.driver.json
}
